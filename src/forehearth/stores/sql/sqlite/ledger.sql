-- name: account
-- The number of an account, made if there is none.
INSERT INTO accounts (
    resource, project, caller_kind, caller_id, caller_name, product, surface, operation, stream, asked, deployment
)
VALUES (
    :resource, :project, :caller_kind, :caller_id, :caller_name, :product, :surface, :operation, :stream, :asked,
    :deployment
)
ON CONFLICT DO UPDATE SET resource = resource
RETURNING number;

-- name: ending
-- The number of a way to end, made if there is none.
INSERT INTO endings (backend, model, counted, currency, price_version, status, outcome, cache, flag)
VALUES (:backend, :model, :counted, :currency, :price_version, :status, :outcome, :cache, :flag)
ON CONFLICT DO UPDATE SET backend = backend
RETURNING number;

-- name: add
-- Keep a call, unless there is one of its id. Many are kept at once, each with a row of values.
INSERT INTO calls (
    id, at, account, ending, attempts, prompt, completion, cached, reasoning, reserved, amount, queued, first_byte,
    seconds, detail
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING;

-- name: get
-- The record of a request.
SELECT
    resource, project, caller_kind, caller_id, caller_name, product, surface, operation, stream, asked, deployment,
    backend, model, counted, currency, price_version, status, outcome, cache, flag,
    id, at, attempts, prompt, completion, cached, reasoning, reserved, amount, queued, first_byte, seconds, detail
FROM calls
JOIN accounts ON accounts.number = calls.account
JOIN endings ON endings.number = calls.ending
WHERE id = :id AND resource = :resource;

-- name: of_request
-- The record of a request, and those whose ids go on behind its own and a hyphen ('.' is what follows '-').
SELECT
    resource, project, caller_kind, caller_id, caller_name, product, surface, operation, stream, asked, deployment,
    backend, model, counted, currency, price_version, status, outcome, cache, flag,
    id, at, attempts, prompt, completion, cached, reasoning, reserved, amount, queued, first_byte, seconds, detail
FROM calls
JOIN accounts ON accounts.number = calls.account
JOIN endings ON endings.number = calls.ending
WHERE (id = :id OR id > :id || '-' AND id < :id || '.') AND resource = :resource
ORDER BY at LIMIT :limit;

-- name: sums
-- What calls come to. Each way to tell them apart that is not asked for is the same for all of them. The accounts that
-- are meant are looked up first (CROSS JOIN keeps the order), then their calls by time. An amount is summed in two
-- parts, because whole sums of money at that precision are larger than SQLite's numbers.
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
FROM accounts
CROSS JOIN calls ON calls.account = accounts.number AND at >= :since AND at < coalesce(:until, 1e999)
CROSS JOIN endings ON endings.number = calls.ending
WHERE resource = :resource
    AND (:key IS NULL OR caller_id = :key OR caller_name = :key)
    AND (:product IS NULL OR product = :product)
    AND (:deployment IS NULL OR deployment = :deployment)
    AND (:project IS NULL OR project = :project)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;

-- name: prune
-- Remove those of the oldest calls that are too old.
DELETE FROM calls
WHERE sequence IN (SELECT sequence FROM (SELECT sequence, at FROM calls ORDER BY sequence LIMIT :limit) WHERE at < :before)
RETURNING sequence;

-- name: prune_accounts
-- Forget who has no calls any more.
DELETE FROM accounts WHERE NOT EXISTS (SELECT 1 FROM calls WHERE calls.account = accounts.number);

-- name: too_old
-- The calls after the last one whose detail was forgotten, up to the first one that is not too old.
WITH following AS (
    SELECT sequence, at FROM calls
    WHERE sequence > (SELECT sequence FROM forgotten)
    ORDER BY sequence LIMIT :limit
)
SELECT max(sequence), count(*) FROM following
WHERE sequence < coalesce((SELECT min(sequence) FROM following WHERE at >= :before), 9223372036854775807);

-- name: forget
-- Forget the details up to a call.
UPDATE calls SET detail = NULL WHERE sequence > (SELECT sequence FROM forgotten) AND sequence <= :last;

-- name: note_forgotten
-- Note that.
UPDATE forgotten SET sequence = :last;
