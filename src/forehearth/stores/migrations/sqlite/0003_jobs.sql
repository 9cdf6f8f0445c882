-- Jobs, the steps of them that were recorded, and what they told.

CREATE TABLE jobs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    resource TEXT NOT NULL,
    project TEXT NOT NULL,
    agent TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    input BLOB NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    most_attempts INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    due REAL, -- while it runs, the end of its lease; NULL once it has ended
    cancel_asked INTEGER NOT NULL,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    kept REAL,
    expires REAL,
    result BLOB,
    error_code TEXT,
    error_message TEXT,
    UNIQUE (resource, project, agent, id)
);
CREATE INDEX jobs_by_place ON jobs (resource, project, agent, sequence);
CREATE INDEX jobs_by_subject ON jobs (resource, project, agent, subject, sequence);
CREATE INDEX jobs_that_are_due ON jobs (due) WHERE due IS NOT NULL;
CREATE INDEX jobs_that_expire ON jobs (expires) WHERE expires IS NOT NULL;

CREATE TABLE job_steps (
    job INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
    name TEXT NOT NULL,
    result BLOB NOT NULL,
    PRIMARY KEY (job, name)
) WITHOUT ROWID;

CREATE TABLE job_events (
    job INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (job, number)
) WITHOUT ROWID;
