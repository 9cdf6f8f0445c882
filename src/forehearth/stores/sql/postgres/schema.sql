-- name: lock
-- Wait until nobody else changes the schema; until the end of the transaction nobody else does.
SELECT pg_advisory_xact_lock(7381240860463362408);

-- name: look
-- What is there already. To make it where it is would take a right that the server then need not have.
SELECT to_regnamespace('forehearth') IS NOT NULL AS has_schema,
    to_regclass('forehearth.migrations') IS NOT NULL AS has_migrations;

-- name: make_schema
-- A name of our own for everything, so that the database may hold other things.
CREATE SCHEMA forehearth;

-- name: make_migrations
-- The table of what was applied.
CREATE TABLE forehearth.migrations (number integer PRIMARY KEY, digest text NOT NULL);

-- name: applied
-- What was applied.
SELECT number, digest FROM migrations;

-- name: note
-- One more was applied.
INSERT INTO migrations (number, digest) VALUES (:number, :digest);
