-- name: append
-- Keep records, one in each place of these lists.
INSERT INTO audit
    (at, request_id, resource, project, actor, actor_kind, action, target, allowed, status, detail)
SELECT at, request_id, resource, project, actor, actor_kind, action, target, allowed, status, detail
FROM unnest(
    CAST(:at AS double precision[]), CAST(:request_id AS text[]), CAST(:resource AS text[]),
    CAST(:project AS text[]), CAST(:actor AS text[]), CAST(:actor_kind AS text[]), CAST(:action AS text[]),
    CAST(:target AS text[]), CAST(:allowed AS boolean[]), CAST(:status AS integer[]), CAST(:detail AS text[])
) WITH ORDINALITY AS given
    (at, request_id, resource, project, actor, actor_kind, action, target, allowed, status, detail, place)
ORDER BY place;

-- name: page
-- Records, the newest first.
SELECT * FROM audit
WHERE (CAST(:resource AS text) IS NULL OR resource = :resource)
    AND (CAST(:actor AS text) IS NULL OR actor = :actor)
    AND (CAST(:action AS text) IS NULL OR action = :action)
    AND (CAST(:since AS double precision) IS NULL OR at >= :since)
    AND (CAST(:before AS bigint) IS NULL OR sequence < :before)
ORDER BY sequence DESC LIMIT :limit;

-- name: prune
-- Remove some records that are too old; how many there were.
WITH old AS (
    SELECT sequence FROM audit WHERE at < :before LIMIT :limit
), gone AS (
    DELETE FROM audit USING old WHERE audit.sequence = old.sequence RETURNING audit.sequence
)
SELECT count(*) AS count FROM gone;
