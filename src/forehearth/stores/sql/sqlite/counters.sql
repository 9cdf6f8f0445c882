-- name: counter
-- The window of a counter, and what is taken of it.
SELECT period, "window", ends, taken FROM counters WHERE counter = :counter;

-- name: keep_counter
-- Write that anew.
INSERT INTO counters (counter, period, "window", ends, taken)
VALUES (:counter, :period, :window, :ends, :taken)
ON CONFLICT (counter) DO UPDATE
SET period = excluded.period, "window" = excluded."window", ends = excluded.ends, taken = excluded.taken;

-- name: shares
-- What workers hold of a counter.
SELECT worker, held, lapses, tail FROM shares WHERE counter = :counter;

-- name: keep_share
-- Write one worker's share anew.
INSERT INTO shares (counter, worker, held, lapses, tail)
VALUES (:counter, :worker, :held, :lapses, :tail)
ON CONFLICT (counter, worker) DO UPDATE
SET held = excluded.held, lapses = excluded.lapses, tail = excluded.tail;

-- name: turns
-- Who waits for a counter, and who was served when.
SELECT tenant, worker, wanted, until, served FROM turns WHERE counter = :counter;

-- name: forget_turns
-- Make room for what is true now.
DELETE FROM turns WHERE counter = :counter;

-- name: keep_turn
-- What is true now.
INSERT INTO turns (counter, tenant, worker, wanted, until, served)
VALUES (:counter, :tenant, :worker, :wanted, :until, :served);

-- name: leave
-- A worker gives up its shares.
DELETE FROM shares WHERE worker = :worker;

-- name: prune_counters
-- Windows that are over.
DELETE FROM counters WHERE ends <= CASE period WHEN 'minute' THEN :monotonic ELSE :unix END;

-- name: prune_shares
-- Shares that have lapsed, and count no longer.
DELETE FROM shares WHERE lapses + tail <= :monotonic;

-- name: prune_turns
-- Turns that are forgotten.
DELETE FROM turns WHERE until <= :monotonic - :forgotten;
