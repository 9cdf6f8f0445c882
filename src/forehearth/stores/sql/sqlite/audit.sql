-- name: append
-- Keep a record.
INSERT INTO audit
    (at, request_id, resource, project, actor, actor_kind, action, target, allowed, status, detail)
VALUES
    (:at, :request_id, :resource, :project, :actor, :actor_kind, :action, :target, :allowed, :status, :detail);

-- name: page
-- Records, the newest first.
SELECT * FROM audit
WHERE (:resource IS NULL OR resource = :resource)
    AND (:actor IS NULL OR actor = :actor)
    AND (:action IS NULL OR action = :action)
    AND (:since IS NULL OR at >= :since)
    AND (:before IS NULL OR sequence < :before)
ORDER BY sequence DESC LIMIT :limit;

-- name: prune
-- Remove records that are too old.
DELETE FROM audit WHERE at < :before RETURNING sequence;
