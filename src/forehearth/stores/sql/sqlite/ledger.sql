-- name: add
-- Keep a record, unless there is one of its id.
INSERT INTO ledger VALUES (
    :id, :at, :resource, :project, :caller_kind, :caller_id, :caller_name, :product, :surface, :operation, :stream,
    :asked, :deployment, :backend, :model, :attempts, :prompt, :completion, :cached, :reasoning, :counted, :reserved,
    :amount, :currency, :price_version, :queued, :first_byte, :seconds, :status, :outcome, :cache, :flag, :detail
)
ON CONFLICT (id) DO NOTHING;

-- name: get
-- The record of a request.
SELECT * FROM ledger WHERE id = :id AND resource = :resource;

-- name: sums
-- What calls come to. Each way to tell them apart that is not asked for is the same for all of them. An amount is
-- summed in two parts, because whole sums of money at that precision are larger than SQLite's numbers.
SELECT
    iif(:by_key, caller_name, '') AS "key",
    iif(:by_product, product, '') AS product_,
    iif(:by_project, project, '') AS project_,
    iif(:by_deployment, deployment, '') AS deployment_,
    iif(:by_model, model, '') AS model_,
    iif(:by_backend, backend, '') AS backend_,
    iif(:by_operation, operation, '') AS operation_,
    iif(:by_outcome, outcome, '') AS outcome_,
    iif(:by_day, strftime('%Y-%m-%d', at, 'unixepoch'), '') AS "day",
    iif(:by_month, strftime('%Y-%m', at, 'unixepoch'), '') AS "month",
    currency,
    count(*),
    sum(prompt),
    sum(completion),
    sum(cached),
    sum(reasoning),
    coalesce(sum(amount / 1000000000000), 0),
    coalesce(sum(amount % 1000000000000), 0),
    sum(amount IS NULL),
    sum(flag <> ''),
    sum(cache = 'hit'),
    sum(outcome <> 'ok')
FROM ledger
WHERE resource = :resource AND at >= :since AND (:until IS NULL OR at < :until)
    AND (:key IS NULL OR caller_id = :key OR caller_name = :key)
    AND (:product IS NULL OR product = :product)
    AND (:deployment IS NULL OR deployment = :deployment)
    AND (:project IS NULL OR project = :project)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;

-- name: page
-- Records by time and id, without their details.
SELECT
    id, at, resource, project, caller_kind, caller_id, caller_name, product, surface, operation, stream, asked,
    deployment, backend, model, attempts, prompt, completion, cached, reasoning, counted, reserved, amount, currency,
    price_version, queued, first_byte, seconds, status, outcome, cache, flag, NULL
FROM ledger
WHERE resource = :resource AND (at, id) > (:after_at, :after_id) AND at >= :since AND (:until IS NULL OR at < :until)
    AND (:key IS NULL OR caller_id = :key OR caller_name = :key)
    AND (:product IS NULL OR product = :product)
    AND (:deployment IS NULL OR deployment = :deployment)
    AND (:project IS NULL OR project = :project)
ORDER BY at, id LIMIT :limit;

-- name: prune
-- Remove some of the records that are too old.
DELETE FROM ledger WHERE id IN (SELECT id FROM ledger WHERE at < :before ORDER BY at LIMIT :limit) RETURNING 1;

-- name: prune_details
-- Forget some of the details that are too old.
UPDATE ledger SET detail = NULL
WHERE id IN (SELECT id FROM ledger WHERE detail IS NOT NULL AND at < :before ORDER BY at LIMIT :limit) RETURNING 1;
