-- Documents of every kind, the counters that tell of their changes, and the audit log.

CREATE SEQUENCE documents_sequence AS bigint;

CREATE TABLE documents (
    sequence bigint PRIMARY KEY DEFAULT nextval('documents_sequence'),
    resource text NOT NULL,
    project text NOT NULL,
    agent text NOT NULL,
    kind text NOT NULL,
    id text NOT NULL,
    parent text NOT NULL,
    created double precision NOT NULL,
    updated double precision NOT NULL,
    revision bigint NOT NULL,
    metadata jsonb NOT NULL,
    body bytea NOT NULL,
    expires double precision,
    UNIQUE (resource, project, agent, kind, id)
);
ALTER SEQUENCE documents_sequence OWNED BY documents.sequence;
-- These are on expressions, so that each serves the query that says the same, and one document, which is looked for by
-- its id, is never looked for with them: as long as statistics are old, the planner takes one index for as good as the
-- other, and would read through a whole place.
CREATE INDEX documents_by_place ON documents ((ARRAY[resource, project, agent, kind]), sequence);
CREATE INDEX documents_by_parent ON documents ((ARRAY[resource, project, agent, kind, parent]), sequence);
CREATE INDEX documents_by_kind ON documents ((ARRAY[kind]), sequence);
CREATE INDEX documents_that_expire ON documents (expires) WHERE expires IS NOT NULL;

-- How often a kind was written is the sum of its shards. Each connection counts in a shard of its own, more or less:
-- with one row, all writers of a kind would wait for each other's commits.
CREATE TABLE versions (
    kind text NOT NULL,
    shard integer NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (kind, shard)
) WITH (fillfactor = 50);

CREATE TABLE audit (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at double precision NOT NULL,
    request_id text NOT NULL,
    resource text NOT NULL,
    project text NOT NULL,
    actor text NOT NULL,
    actor_kind text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    allowed boolean NOT NULL,
    status integer NOT NULL,
    detail text NOT NULL
);
CREATE INDEX audit_by_time ON audit (at);
