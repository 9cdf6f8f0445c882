-- name: add
-- Keep a new job, in the place of one that has expired. To count those that are gone is to remove them first.
WITH gone AS (
    DELETE FROM jobs
    WHERE resource = :resource AND project = :project AND agent = :agent AND id = :id AND expires <= unix_now()
    RETURNING sequence
)
INSERT INTO jobs (
    resource, project, agent, id, kind, subject, input, state, attempts, most_attempts, fence, due, cancel_asked,
    created, updated, kept
)
SELECT
    :resource, :project, :agent, :id, :kind, :subject, :input, 'waiting', 0, :most_attempts, 0,
    unix_now() + CAST(:delay AS double precision), false, unix_now(), unix_now(), :kept
FROM (SELECT count(*) FROM gone) AS room
ON CONFLICT (resource, project, agent, id) DO NOTHING
RETURNING *;

-- name: get
-- One job.
SELECT * FROM jobs
WHERE resource = :resource AND project = :project AND agent = :agent AND id = :id
    AND (expires IS NULL OR expires > unix_now());

-- name: outline
-- One job, without what may be large.
SELECT
    sequence, resource, project, agent, id, kind, subject, CAST('' AS bytea) AS input, state, attempts, most_attempts, fence, due,
    cancel_asked, created, updated, kept, expires, CAST(NULL AS bytea) AS result, error_code, error_message
FROM jobs
WHERE resource = :resource AND project = :project AND agent = :agent AND id = :id
    AND (expires IS NULL OR expires > unix_now());

-- name: page
-- Jobs of a place, the newest first, without what may be large.
SELECT
    sequence, resource, project, agent, id, kind, subject, CAST('' AS bytea) AS input, state, attempts, most_attempts, fence, due,
    cancel_asked, created, updated, kept, expires, CAST(NULL AS bytea) AS result, error_code, error_message
FROM jobs
WHERE ARRAY[resource, project, agent] = ARRAY[:resource, :project, :agent]
    AND sequence < coalesce(CAST(:before AS bigint), 9223372036854775807)
    AND (CAST(:kind AS text) IS NULL OR kind = :kind)
    AND (CAST(:state AS text) IS NULL OR state = :state)
    AND (expires IS NULL OR expires > unix_now())
ORDER BY sequence DESC LIMIT :limit;

-- name: of_subject
-- Those that are for one thing.
SELECT
    sequence, resource, project, agent, id, kind, subject, CAST('' AS bytea) AS input, state, attempts, most_attempts, fence, due,
    cancel_asked, created, updated, kept, expires, CAST(NULL AS bytea) AS result, error_code, error_message
FROM jobs
WHERE ARRAY[resource, project, agent, subject] = ARRAY[:resource, :project, :agent, :subject]
    AND sequence < coalesce(CAST(:before AS bigint), 9223372036854775807)
    AND (CAST(:kind AS text) IS NULL OR kind = :kind)
    AND (CAST(:state AS text) IS NULL OR state = :state)
    AND (expires IS NULL OR expires > unix_now())
ORDER BY sequence DESC LIMIT :limit;

-- name: events
-- What a job told.
SELECT job_events.number, job_events.name, job_events.body
FROM jobs
JOIN job_events ON job_events.job = jobs.sequence
WHERE resource = :resource AND project = :project AND agent = :agent AND id = :id
    AND (expires IS NULL OR expires > unix_now())
    AND job_events.number > :after
ORDER BY job_events.number LIMIT :limit;

-- name: cancel
-- Cancel a job that waits, and ask for that where it runs.
UPDATE jobs
SET cancel_asked = true, updated = unix_now(),
    state = CASE state WHEN 'waiting' THEN 'cancelled' ELSE state END,
    due = CASE state WHEN 'waiting' THEN NULL ELSE due END,
    expires = CASE state WHEN 'waiting' THEN unix_now() + kept ELSE expires END
WHERE resource = :resource AND project = :project AND agent = :agent AND id = :id AND state IN ('waiting', 'running')
RETURNING *;

-- name: claim
-- Give jobs that are due to a worker, and end those that have had all of their attempts. Two who do so share the work.
WITH ready AS MATERIALIZED (
    SELECT sequence, state = 'running' AND attempts >= most_attempts AS spent
    FROM jobs
    WHERE due <= unix_now() AND kind = ANY(CAST(:kinds AS text[]))
    ORDER BY due LIMIT :limit
    FOR UPDATE SKIP LOCKED
), ended AS (
    UPDATE jobs
    SET state = CASE WHEN cancel_asked THEN 'cancelled' ELSE 'failed' END, due = NULL, updated = unix_now(),
        expires = unix_now() + kept,
        error_code = CASE WHEN cancel_asked THEN NULL ELSE CAST(:lost_code AS text) END,
        error_message = CASE WHEN cancel_asked THEN NULL ELSE CAST(:lost_message AS text) END
    FROM ready WHERE jobs.sequence = ready.sequence AND spent
), claimed AS (
    UPDATE jobs
    SET state = 'running', attempts = attempts + 1, fence = fence + 1,
        due = unix_now() + CAST(:seconds AS double precision), updated = unix_now()
    FROM ready WHERE jobs.sequence = ready.sequence AND NOT spent
    RETURNING jobs.*
), noted AS (
    INSERT INTO job_attempts (job, fence, at) SELECT sequence, fence, updated FROM claimed
)
SELECT * FROM claimed;

-- name: renew
-- Have leases end later, those that are still the last ones.
UPDATE jobs
SET due = unix_now() + CAST(:seconds AS double precision), updated = unix_now()
FROM unnest(CAST(:jobs AS bigint[]), CAST(:fences AS bigint[])) AS held (job, fence)
WHERE jobs.sequence = held.job AND jobs.fence = held.fence AND state = 'running'
RETURNING sequence, jobs.fence, cancel_asked;

-- name: give_back
-- Let go of a job.
UPDATE jobs
SET state = 'waiting', attempts = attempts - 1, due = unix_now() + CAST(:seconds AS double precision),
    updated = unix_now()
WHERE sequence = :job AND fence = :fence AND state = 'running'
RETURNING sequence;

-- name: steps
-- Every step of a job that was recorded.
SELECT name, result FROM job_steps WHERE job = :job;

-- name: last_event
-- The number of the last event that was told.
SELECT coalesce(max(number), -1) AS number FROM job_events WHERE job = :job;

-- name: record
-- Keep steps and events, if a lease is still the job's last one. The row is locked, so that nobody claims the job
-- before these are there.
WITH held AS MATERIALIZED (
    SELECT sequence FROM jobs WHERE sequence = :job AND fence = :fence AND state = 'running' FOR NO KEY UPDATE
), new_steps AS (
    INSERT INTO job_steps (job, name, result, at)
    SELECT held.sequence, given.name, given.result, unix_now()
    FROM held, unnest(CAST(:names AS text[]), CAST(:results AS bytea[])) AS given (name, result)
    ON CONFLICT DO NOTHING
), new_events AS (
    INSERT INTO job_events (job, number, name, body, at)
    SELECT held.sequence, given.number, given.name, given.body, unix_now()
    FROM held, unnest(CAST(:numbers AS bigint[]), CAST(:titles AS text[]), CAST(:bodies AS bytea[]))
        AS given (number, name, body)
    ON CONFLICT DO NOTHING
)
SELECT sequence FROM held;

-- name: finish
-- End a job.
UPDATE jobs
SET state = :state, due = NULL, updated = unix_now(), expires = unix_now() + kept, result = :result,
    error_code = :error_code, error_message = :error_message
WHERE sequence = :job AND fence = :fence AND state = 'running'
RETURNING sequence;

-- name: ended
-- Whether it has ended in this very way.
SELECT sequence FROM jobs
WHERE sequence = :job AND fence = :fence AND state = :state AND result IS NOT DISTINCT FROM CAST(:result AS bytea)
    AND error_code IS NOT DISTINCT FROM CAST(:error_code AS text)
    AND error_message IS NOT DISTINCT FROM CAST(:error_message AS text);

-- name: remove_expired
-- Remove what has expired, the longest gone first. Two who do so at once share the work.
WITH due AS MATERIALIZED (
    SELECT sequence FROM jobs WHERE expires <= unix_now() ORDER BY expires LIMIT :limit FOR UPDATE SKIP LOCKED
)
DELETE FROM jobs USING due WHERE jobs.sequence = due.sequence RETURNING jobs.sequence;

-- name: of_runs
-- Those that have one of these as their id, and those that are for it, wherever they are.
SELECT found.* FROM unnest(CAST(:names AS text[])) AS wanted (name) CROSS JOIN LATERAL (
    (
        SELECT * FROM jobs
        WHERE ARRAY[resource, id] = ARRAY[:resource, wanted.name] AND (expires IS NULL OR expires > unix_now())
        ORDER BY sequence DESC LIMIT :limit
    )
    UNION ALL
    (
        SELECT * FROM jobs
        WHERE ARRAY[resource, subject] = ARRAY[:resource, wanted.name] AND (expires IS NULL OR expires > unix_now())
        ORDER BY sequence DESC LIMIT :limit
    )
) AS found;

-- name: of_resource
-- Jobs of a resource, the newest first, without what may be large.
SELECT
    sequence, resource, project, agent, id, kind, subject, CAST('' AS bytea) AS input, state, attempts, most_attempts, fence, due,
    cancel_asked, created, updated, kept, expires, CAST(NULL AS bytea) AS result, error_code, error_message
FROM jobs
WHERE ARRAY[resource] = ARRAY[:resource] AND (expires IS NULL OR expires > unix_now())
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
