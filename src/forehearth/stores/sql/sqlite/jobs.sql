-- name: give_way
-- Make room for a new job, where the one of its id has expired.
DELETE FROM jobs
WHERE resource = :resource AND project = :project AND agent = :agent AND id = :id AND expires <= :now
RETURNING sequence;

-- name: add
-- Keep a new job.
INSERT INTO jobs (
    resource, project, agent, id, kind, subject, input, state, attempts, most_attempts, fence, due, cancel_asked,
    created, updated, kept
)
VALUES (
    :resource, :project, :agent, :id, :kind, :subject, :input, 'waiting', 0, :most_attempts, 0, :now + :delay, 0,
    :now, :now, :kept
)
RETURNING *;

-- name: get
-- One job.
SELECT * FROM jobs
WHERE resource = :resource AND project = :project AND agent = :agent AND id = :id
    AND (expires IS NULL OR expires > :now);

-- name: outline
-- One job, without what may be large.
SELECT
    sequence, resource, project, agent, id, kind, subject, x'' AS input, state, attempts, most_attempts, fence, due,
    cancel_asked, created, updated, kept, expires, NULL AS result, error_code, error_message
FROM jobs
WHERE resource = :resource AND project = :project AND agent = :agent AND id = :id
    AND (expires IS NULL OR expires > :now);

-- name: page
-- Jobs of a place, the newest first, without what may be large.
SELECT
    sequence, resource, project, agent, id, kind, subject, x'' AS input, state, attempts, most_attempts, fence, due,
    cancel_asked, created, updated, kept, expires, NULL AS result, error_code, error_message
FROM jobs INDEXED BY jobs_by_place
WHERE resource = :resource AND project = :project AND agent = :agent
    AND sequence < coalesce(:before, 9223372036854775807)
    AND (:kind IS NULL OR kind = :kind)
    AND (:state IS NULL OR state = :state)
    AND (expires IS NULL OR expires > :now)
ORDER BY sequence DESC LIMIT :limit;

-- name: of_subject
-- Those that are for one thing.
SELECT
    sequence, resource, project, agent, id, kind, subject, x'' AS input, state, attempts, most_attempts, fence, due,
    cancel_asked, created, updated, kept, expires, NULL AS result, error_code, error_message
FROM jobs INDEXED BY jobs_by_subject
WHERE resource = :resource AND project = :project AND agent = :agent AND subject = :subject
    AND sequence < coalesce(:before, 9223372036854775807)
    AND (:kind IS NULL OR kind = :kind)
    AND (:state IS NULL OR state = :state)
    AND (expires IS NULL OR expires > :now)
ORDER BY sequence DESC LIMIT :limit;

-- name: events
-- What a job told.
SELECT job_events.number, job_events.name, job_events.body
FROM jobs
CROSS JOIN job_events ON job_events.job = jobs.sequence AND job_events.number > :after
WHERE resource = :resource AND project = :project AND agent = :agent AND id = :id
    AND (expires IS NULL OR expires > :now)
ORDER BY job_events.number LIMIT :limit;

-- name: cancel
-- Cancel a job that waits, and ask for that where it runs.
UPDATE jobs
SET cancel_asked = 1, updated = :now,
    state = iif(state = 'waiting', 'cancelled', state),
    due = iif(state = 'waiting', NULL, due),
    expires = iif(state = 'waiting', :now + kept, expires)
WHERE resource = :resource AND project = :project AND agent = :agent AND id = :id AND state IN ('waiting', 'running')
RETURNING *;

-- name: give_up
-- End jobs that have had all of their attempts.
UPDATE jobs
SET state = iif(cancel_asked, 'cancelled', 'failed'), due = NULL, updated = :now, expires = :now + kept,
    error_code = iif(cancel_asked, NULL, :lost_code), error_message = iif(cancel_asked, NULL, :lost_message)
WHERE sequence IN (
    SELECT sequence FROM jobs INDEXED BY jobs_that_are_due
    WHERE due <= :now AND kind IN (SELECT value FROM json_each(:kinds))
        AND state = 'running' AND attempts >= most_attempts
    ORDER BY due LIMIT :limit
);

-- name: claim
-- Give jobs that are due to a worker.
UPDATE jobs
SET state = 'running', attempts = attempts + 1, fence = fence + 1, due = :now + :seconds, updated = :now
WHERE sequence IN (
    SELECT sequence FROM jobs INDEXED BY jobs_that_are_due
    WHERE due <= :now AND kind IN (SELECT value FROM json_each(:kinds))
        AND NOT (state = 'running' AND attempts >= most_attempts)
    ORDER BY due LIMIT :limit
)
RETURNING *;

-- name: add_attempt
-- Note that somebody has claimed a job.
INSERT INTO job_attempts (job, fence, at) VALUES (:job, :fence, :now);

-- name: renew
-- Have a lease end later, if it is still the last one.
UPDATE jobs SET due = :now + :seconds, updated = :now
WHERE sequence = :job AND fence = :fence AND state = 'running'
RETURNING cancel_asked;

-- name: give_back
-- Let go of a job.
UPDATE jobs SET state = 'waiting', attempts = attempts - 1, due = :now + :seconds, updated = :now
WHERE sequence = :job AND fence = :fence AND state = 'running'
RETURNING sequence;

-- name: steps
-- Every step of a job that was recorded.
SELECT name, result FROM job_steps WHERE job = :job;

-- name: last_event
-- The number of the last event that was told.
SELECT coalesce(max(number), -1) AS number FROM job_events WHERE job = :job;

-- name: held
-- Whether a lease is still the job's last one.
SELECT 1 FROM jobs WHERE sequence = :job AND fence = :fence AND state = 'running';

-- name: add_step
-- Keep a step, unless it is there.
INSERT INTO job_steps (job, name, result, at) VALUES (:job, :name, :result, :now) ON CONFLICT DO NOTHING;

-- name: add_event
-- Keep an event, unless it is there.
INSERT INTO job_events (job, number, name, body, at) VALUES (:job, :number, :name, :body, :now) ON CONFLICT DO NOTHING;

-- name: finish
-- End a job.
UPDATE jobs
SET state = :state, due = NULL, updated = :now, expires = :now + kept, result = :result, error_code = :error_code,
    error_message = :error_message
WHERE sequence = :job AND fence = :fence AND state = 'running'
RETURNING sequence;

-- name: ended
-- Whether it has ended in this very way.
SELECT sequence FROM jobs
WHERE sequence = :job AND fence = :fence AND state = :state AND result IS :result AND error_code IS :error_code
    AND error_message IS :error_message;

-- name: remove_expired
-- Remove what has expired, the longest gone first.
DELETE FROM jobs WHERE sequence IN (
    SELECT sequence FROM jobs WHERE expires <= :now ORDER BY expires LIMIT :limit
)
RETURNING sequence;

-- name: of_runs
-- Those that have one of these as their id, and those that are for it, wherever they are.
SELECT jobs.* FROM json_each(:names) AS wanted CROSS JOIN jobs ON jobs.sequence IN (
    SELECT sequence FROM jobs INDEXED BY jobs_by_id
    WHERE resource = :resource AND id = wanted.value AND (expires IS NULL OR expires > :now)
    ORDER BY sequence DESC LIMIT :limit
)
UNION ALL
SELECT jobs.* FROM json_each(:names) AS wanted CROSS JOIN jobs ON jobs.sequence IN (
    SELECT sequence FROM jobs INDEXED BY jobs_by_what_they_are_for
    WHERE resource = :resource AND subject = wanted.value AND (expires IS NULL OR expires > :now)
    ORDER BY sequence DESC LIMIT :limit
);

-- name: of_resource
-- Jobs of a resource, the newest first, without what may be large.
SELECT
    sequence, resource, project, agent, id, kind, subject, x'' AS input, state, attempts, most_attempts, fence, due,
    cancel_asked, created, updated, kept, expires, NULL AS result, error_code, error_message
FROM jobs INDEXED BY jobs_by_resource
WHERE resource = :resource AND (expires IS NULL OR expires > :now)
ORDER BY sequence DESC LIMIT :limit;

-- name: attempts
-- When somebody claimed a job.
SELECT fence, at FROM job_attempts WHERE job = :job ORDER BY fence LIMIT :limit;

-- name: times_of_steps
-- When the steps of a job were recorded.
SELECT name, at FROM job_steps WHERE job = :job LIMIT :limit;

-- name: told
-- What a job told, and when.
SELECT number, name, body, at FROM job_events WHERE job = :job AND number > :after ORDER BY number LIMIT :limit;
