-- When the things of a job happened, and who had it; jobs by their id alone. For whoever operates the server.

ALTER TABLE job_steps ADD COLUMN at REAL; -- NULL where nobody noted it yet
ALTER TABLE job_events ADD COLUMN at REAL;

CREATE TABLE job_attempts (
    job INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
    fence INTEGER NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (job, fence)
) WITHOUT ROWID;

CREATE INDEX jobs_by_id ON jobs (resource, id);
CREATE INDEX jobs_by_resource ON jobs (resource, sequence);
CREATE INDEX responses_by_id ON documents (resource, id) WHERE kind = 'response';
CREATE INDEX responses_by_resource ON documents (resource, sequence) WHERE kind = 'response';
