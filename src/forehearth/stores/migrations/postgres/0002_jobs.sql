-- Jobs, the steps of them that were recorded, and what they told.

-- The server's clock, by which leases are counted: the machines that have them may disagree.
CREATE FUNCTION unix_now() RETURNS double precision LANGUAGE sql STABLE
AS 'SELECT CAST(extract(epoch FROM now()) AS double precision)';

CREATE TABLE jobs (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resource text NOT NULL,
    project text NOT NULL,
    agent text NOT NULL,
    id text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    input bytea NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    most_attempts integer NOT NULL,
    fence bigint NOT NULL,
    due double precision, -- while it runs, the end of its lease; NULL once it has ended
    cancel_asked boolean NOT NULL,
    created double precision NOT NULL,
    updated double precision NOT NULL,
    kept double precision,
    expires double precision,
    result bytea,
    error_code text,
    error_message text,
    UNIQUE (resource, project, agent, id)
);
-- These are on expressions, as those of documents are, so that each serves its own query alone.
CREATE INDEX jobs_by_place ON jobs ((ARRAY[resource, project, agent]), sequence);
CREATE INDEX jobs_by_subject ON jobs ((ARRAY[resource, project, agent, subject]), sequence);
CREATE INDEX jobs_that_are_due ON jobs (due) WHERE due IS NOT NULL;
CREATE INDEX jobs_that_expire ON jobs (expires) WHERE expires IS NOT NULL;

CREATE TABLE job_steps (
    job bigint NOT NULL REFERENCES jobs ON DELETE CASCADE,
    name text NOT NULL,
    result bytea NOT NULL,
    PRIMARY KEY (job, name)
);

CREATE TABLE job_events (
    job bigint NOT NULL REFERENCES jobs ON DELETE CASCADE,
    number bigint NOT NULL,
    name text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (job, number)
);
