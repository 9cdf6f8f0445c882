-- When the things of a job happened, and who had it; runs by their ids alone. For whoever operates the server.

ALTER TABLE job_steps ADD COLUMN at double precision; -- NULL where nobody noted it yet
ALTER TABLE job_events ADD COLUMN at double precision;

CREATE TABLE job_attempts (
    job bigint NOT NULL REFERENCES jobs ON DELETE CASCADE,
    fence bigint NOT NULL,
    at double precision NOT NULL,
    PRIMARY KEY (job, fence)
);

CREATE INDEX jobs_by_id ON jobs ((ARRAY[resource, id]), sequence);
CREATE INDEX jobs_by_what_they_are_for ON jobs ((ARRAY[resource, subject]), sequence);
CREATE INDEX jobs_by_resource ON jobs ((ARRAY[resource]), sequence);
CREATE INDEX runs_by_id ON documents ((ARRAY[resource, id]), sequence) WHERE kind IN ('response', 'thread_run');
CREATE INDEX runs_by_resource ON documents ((ARRAY[resource]), sequence) WHERE kind IN ('response', 'thread_run');
