-- name: insert
-- Keep a new document, in the place of one that had expired when it was created, and count the write.
WITH written AS (
    INSERT INTO documents
        (resource, project, agent, kind, id, parent, created, updated, revision, metadata, body, expires)
    VALUES
        (:resource, :project, :agent, :kind, :id, :parent, :created, :updated, 1, :metadata, :body, :expires)
    ON CONFLICT (resource, project, agent, kind, id) DO UPDATE
    SET sequence = excluded.sequence, parent = excluded.parent, created = excluded.created,
        updated = excluded.updated, revision = excluded.revision, metadata = excluded.metadata,
        body = excluded.body, expires = excluded.expires
    WHERE documents.expires <= excluded.created
    RETURNING sequence, revision, kind
), counted AS (
    INSERT INTO versions (kind, shard, version) SELECT kind, pg_backend_pid() % 64, 1 FROM written
    ON CONFLICT (kind, shard) DO UPDATE SET version = versions.version + 1
)
SELECT sequence, revision FROM written;

-- name: insert_many
-- The same for several of one place and kind, in their order. Where some of them could not be written, none is: the
-- division by nothing ends the statement, and with it all that it did.
WITH written AS (
    INSERT INTO documents
        (resource, project, agent, kind, id, parent, created, updated, revision, metadata, body, expires)
    SELECT CAST(:resource AS text), CAST(:project AS text), CAST(:agent AS text), CAST(:kind AS text),
        given.id, given.parent, given.created, given.updated, 1, given.metadata, given.body, given.expires
    FROM unnest(
        CAST(:id AS text[]), CAST(:parent AS text[]), CAST(:created AS double precision[]),
        CAST(:updated AS double precision[]), CAST(:metadata AS jsonb[]), CAST(:body AS bytea[]),
        CAST(:expires AS double precision[])
    ) WITH ORDINALITY AS given (id, parent, created, updated, metadata, body, expires, place)
    ORDER BY given.place
    ON CONFLICT (resource, project, agent, kind, id) DO UPDATE
    SET sequence = excluded.sequence, parent = excluded.parent, created = excluded.created,
        updated = excluded.updated, revision = excluded.revision, metadata = excluded.metadata,
        body = excluded.body, expires = excluded.expires
    WHERE documents.expires <= excluded.created
    RETURNING sequence, revision, id, kind
), counted AS (
    INSERT INTO versions (kind, shard, version) SELECT DISTINCT kind, pg_backend_pid() % 64, 1 FROM written
    ON CONFLICT (kind, shard) DO UPDATE SET version = versions.version + 1
)
SELECT id, sequence, revision, 1 / (CASE WHEN (SELECT count(*) FROM written) = cardinality(:id) THEN 1 ELSE 0 END)
FROM written;

-- name: get
-- One document.
SELECT * FROM documents
WHERE resource = :resource AND project = :project AND agent = :agent AND kind = :kind AND id = :id;

-- name: replace
-- Write one anew, if it is still the one that was read and has not expired, and count the write.
WITH written AS (
    UPDATE documents
    SET parent = :parent, updated = :updated, revision = revision + 1, metadata = :metadata, body = :body,
        expires = :expires
    WHERE resource = :resource AND project = :project AND agent = :agent AND kind = :kind AND id = :id
        AND (CAST(:wanted AS text) IS NULL OR sequence || '.' || revision = :wanted)
        AND (expires IS NULL OR expires > :updated)
    RETURNING sequence, revision, created, kind
), counted AS (
    INSERT INTO versions (kind, shard, version) SELECT kind, pg_backend_pid() % 64, 1 FROM written
    ON CONFLICT (kind, shard) DO UPDATE SET version = versions.version + 1
)
SELECT sequence, revision, created FROM written;

-- name: delete
-- Remove one, if it is still the one that was read and has not expired, and count the write.
WITH gone AS (
    DELETE FROM documents
    WHERE resource = :resource AND project = :project AND agent = :agent AND kind = :kind AND id = :id
        AND (CAST(:wanted AS text) IS NULL OR sequence || '.' || revision = :wanted)
        AND (expires IS NULL OR expires > :now)
    RETURNING sequence, kind
), counted AS (
    INSERT INTO versions (kind, shard, version) SELECT kind, pg_backend_pid() % 64, 1 FROM gone
    ON CONFLICT (kind, shard) DO UPDATE SET version = versions.version + 1
)
SELECT sequence FROM gone;

-- name: edge
-- Where a document stands in the order of its place and kind.
SELECT sequence FROM documents
WHERE resource = :resource AND project = :project AND agent = :agent AND kind = :kind AND id = :id;

-- name: page_ascending
-- Documents between two sequences, the oldest first.
SELECT * FROM documents
WHERE ARRAY[resource, project, agent, kind] = ARRAY[:resource, :project, :agent, :kind]
    AND sequence > :low AND sequence < :high
    AND (expires IS NULL OR expires > :now)
    AND metadata @> :metadata
ORDER BY sequence ASC LIMIT :limit;

-- name: page_descending
-- The same, the newest first.
SELECT * FROM documents
WHERE ARRAY[resource, project, agent, kind] = ARRAY[:resource, :project, :agent, :kind]
    AND sequence > :low AND sequence < :high
    AND (expires IS NULL OR expires > :now)
    AND metadata @> :metadata
ORDER BY sequence DESC LIMIT :limit;

-- name: children_ascending
-- Documents under a parent, between two sequences, the oldest first.
SELECT * FROM documents
WHERE ARRAY[resource, project, agent, kind, parent] = ARRAY[:resource, :project, :agent, :kind, :parent]
    AND sequence > :low AND sequence < :high
    AND (expires IS NULL OR expires > :now)
    AND metadata @> :metadata
ORDER BY sequence ASC LIMIT :limit;

-- name: children_descending
-- The same, the newest first.
SELECT * FROM documents
WHERE ARRAY[resource, project, agent, kind, parent] = ARRAY[:resource, :project, :agent, :kind, :parent]
    AND sequence > :low AND sequence < :high
    AND (expires IS NULL OR expires > :now)
    AND metadata @> :metadata
ORDER BY sequence DESC LIMIT :limit;

-- name: of_all_places
-- Every document of a kind.
SELECT * FROM documents WHERE ARRAY[kind] = ARRAY[:kind] ORDER BY sequence;

-- name: runs
-- The responses and runs of an id, wherever they are.
SELECT * FROM documents
WHERE ARRAY[resource, id] = ARRAY[:resource, :id] AND kind IN ('response', 'thread_run') AND (expires IS NULL OR expires > :now)
ORDER BY sequence DESC;

-- name: runs_before
-- The newest responses and runs of a resource, or of those before another.
SELECT * FROM documents
WHERE ARRAY[resource] = ARRAY[:resource] AND kind IN ('response', 'thread_run') AND sequence < coalesce(CAST(:before AS bigint), 9223372036854775807)
    AND (expires IS NULL OR expires > :now)
ORDER BY sequence DESC LIMIT :limit;

-- name: version
-- How often a kind was written.
SELECT CAST(coalesce(sum(version), 0) AS bigint) AS version FROM versions WHERE kind = :kind;

-- name: remove_expired
-- Remove what has expired, the longest gone first, and count the writes. Two who do so at once share the work.
WITH due AS MATERIALIZED (
    SELECT sequence FROM documents WHERE expires <= :now ORDER BY expires LIMIT :limit FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM documents USING due WHERE documents.sequence = due.sequence RETURNING kind
), counted AS (
    INSERT INTO versions (kind, shard, version)
    SELECT DISTINCT kind, pg_backend_pid() % 64, 1 FROM gone ORDER BY kind
    ON CONFLICT (kind, shard) DO UPDATE SET version = versions.version + 1
)
SELECT kind FROM gone;
