-- name: keep_run
-- Write a run anew.
INSERT INTO runs (id, fingerprint, run) VALUES (:id, :fingerprint, :run)
ON CONFLICT (id) DO UPDATE SET run = excluded.run;

-- name: last_run
-- The run that was begun last.
SELECT run FROM runs ORDER BY number DESC LIMIT 1;

-- name: last_run_of
-- The run of a fingerprint that was begun last.
SELECT run FROM runs WHERE fingerprint = :fingerprint ORDER BY number DESC LIMIT 1;

-- name: answer
-- The answer to a prompt.
SELECT answer FROM answers WHERE prompt = ?;

-- name: keep_answer
-- Keep one.
INSERT OR REPLACE INTO answers (prompt, answer) VALUES (?, ?);

-- name: wish
-- Ask a run for something.
INSERT OR REPLACE INTO wishes (run, wish) VALUES (:run, :wish);

-- name: wished
-- What a run is asked for.
SELECT wish FROM wishes WHERE run = :run;

-- name: grant
-- It was heard.
DELETE FROM wishes WHERE run = :run;
