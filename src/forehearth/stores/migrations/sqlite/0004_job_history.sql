-- When the things of a job happened, and who had it; runs by their ids alone. For whoever operates the server.

ALTER TABLE job_steps ADD COLUMN at REAL; -- NULL where nobody noted it yet
ALTER TABLE job_events ADD COLUMN at REAL;

CREATE TABLE job_attempts (
    job INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
    fence INTEGER NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (job, fence)
) WITHOUT ROWID;

CREATE INDEX jobs_by_id ON jobs (resource, id);
CREATE INDEX jobs_by_what_they_are_for ON jobs (resource, subject, sequence);
CREATE INDEX jobs_by_resource ON jobs (resource, sequence);
CREATE INDEX runs_by_id ON documents (resource, id) WHERE kind IN ('response', 'thread_run');
CREATE INDEX runs_by_resource ON documents (resource, sequence) WHERE kind IN ('response', 'thread_run');
