-- name: give_way
-- Remove the one of the same id that had expired when a new one was created.
DELETE FROM documents
WHERE resource = :resource AND project = :project AND agent = :agent AND kind = :kind AND id = :id
    AND expires <= :created;

-- name: insert
-- Keep a new document.
INSERT INTO documents
    (resource, project, agent, kind, id, parent, created, updated, etag, metadata, body, expires)
VALUES
    (:resource, :project, :agent, :kind, :id, :parent, :created, :updated, 1, :metadata, :body, :expires)
RETURNING sequence, etag;

-- name: get
-- One document.
SELECT * FROM documents
WHERE resource = :resource AND project = :project AND agent = :agent AND kind = :kind AND id = :id;

-- name: replace
-- Write one anew, if it is still the one that was read, and has not expired.
UPDATE documents
SET parent = :parent, updated = :updated, etag = etag + 1, metadata = :metadata, body = :body, expires = :expires
WHERE resource = :resource AND project = :project AND agent = :agent AND kind = :kind AND id = :id
    AND (:wanted IS NULL OR sequence || '.' || etag = :wanted)
    AND (expires IS NULL OR expires > :updated)
RETURNING sequence, etag, created;

-- name: delete
-- Remove one, if it is still the one that was read, and has not expired.
DELETE FROM documents
WHERE resource = :resource AND project = :project AND agent = :agent AND kind = :kind AND id = :id
    AND (:wanted IS NULL OR sequence || '.' || etag = :wanted)
    AND (expires IS NULL OR expires > :now)
RETURNING sequence;

-- name: edge
-- Where a document stands in the order of its place and kind.
SELECT sequence FROM documents
WHERE resource = :resource AND project = :project AND agent = :agent AND kind = :kind AND id = :id;

-- name: page_ascending
-- Documents between two sequences, the oldest first.
SELECT * FROM documents INDEXED BY documents_by_place
WHERE resource = :resource AND project = :project AND agent = :agent AND kind = :kind
    AND sequence > :low AND sequence < :high
    AND (expires IS NULL OR expires > :now)
    AND NOT EXISTS (
        SELECT 1 FROM json_each(:metadata) AS wanted
        WHERE NOT EXISTS (
            SELECT 1 FROM json_each(documents.metadata) AS had WHERE had.key = wanted.key AND had.value = wanted.value
        )
    )
ORDER BY sequence ASC LIMIT :limit;

-- name: page_descending
-- The same, the newest first.
SELECT * FROM documents INDEXED BY documents_by_place
WHERE resource = :resource AND project = :project AND agent = :agent AND kind = :kind
    AND sequence > :low AND sequence < :high
    AND (expires IS NULL OR expires > :now)
    AND NOT EXISTS (
        SELECT 1 FROM json_each(:metadata) AS wanted
        WHERE NOT EXISTS (
            SELECT 1 FROM json_each(documents.metadata) AS had WHERE had.key = wanted.key AND had.value = wanted.value
        )
    )
ORDER BY sequence DESC LIMIT :limit;

-- name: children_ascending
-- Documents under a parent, between two sequences, the oldest first.
SELECT * FROM documents INDEXED BY documents_by_parent
WHERE resource = :resource AND project = :project AND agent = :agent AND kind = :kind AND parent = :parent
    AND sequence > :low AND sequence < :high
    AND (expires IS NULL OR expires > :now)
    AND NOT EXISTS (
        SELECT 1 FROM json_each(:metadata) AS wanted
        WHERE NOT EXISTS (
            SELECT 1 FROM json_each(documents.metadata) AS had WHERE had.key = wanted.key AND had.value = wanted.value
        )
    )
ORDER BY sequence ASC LIMIT :limit;

-- name: children_descending
-- The same, the newest first.
SELECT * FROM documents INDEXED BY documents_by_parent
WHERE resource = :resource AND project = :project AND agent = :agent AND kind = :kind AND parent = :parent
    AND sequence > :low AND sequence < :high
    AND (expires IS NULL OR expires > :now)
    AND NOT EXISTS (
        SELECT 1 FROM json_each(:metadata) AS wanted
        WHERE NOT EXISTS (
            SELECT 1 FROM json_each(documents.metadata) AS had WHERE had.key = wanted.key AND had.value = wanted.value
        )
    )
ORDER BY sequence DESC LIMIT :limit;

-- name: of_all_places
-- Every document of a kind.
SELECT * FROM documents WHERE kind = :kind ORDER BY sequence;

-- name: runs
-- The responses and runs of an id, wherever they are.
SELECT * FROM documents INDEXED BY runs_by_id
WHERE resource = :resource AND kind IN ('response', 'thread_run') AND id = :id AND (expires IS NULL OR expires > :now)
ORDER BY sequence DESC;

-- name: runs_before
-- The newest responses and runs of a resource, or of those before another.
SELECT * FROM documents INDEXED BY runs_by_resource
WHERE resource = :resource AND kind IN ('response', 'thread_run') AND sequence < coalesce(:before, 9223372036854775807)
    AND (expires IS NULL OR expires > :now)
ORDER BY sequence DESC LIMIT :limit;

-- name: version
-- How often a kind was written.
SELECT version FROM versions WHERE kind = :kind;

-- name: count
-- One write more of a kind.
INSERT INTO versions (kind, version) VALUES (:kind, 1)
ON CONFLICT (kind) DO UPDATE SET version = version + 1;

-- name: remove_expired
-- Remove what has expired, the longest gone first.
DELETE FROM documents WHERE sequence IN (
    SELECT sequence FROM documents WHERE expires <= :now ORDER BY expires LIMIT :limit
)
RETURNING kind;
