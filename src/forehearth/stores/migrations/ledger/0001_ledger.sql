-- What became of each call. In a file of its own: it grows with every call, and each write of it reaches the disk.
-- What many calls have in common stands once in a table beside it. Indexes grow at their ends, because calls come in the
-- order of their time, and their ids begin with it.

CREATE TABLE accounts (
    number INTEGER PRIMARY KEY,
    resource TEXT NOT NULL,
    project TEXT NOT NULL,
    caller_kind TEXT NOT NULL,
    caller_id TEXT NOT NULL,
    caller_name TEXT NOT NULL,
    product TEXT NOT NULL,
    surface TEXT NOT NULL,
    operation TEXT NOT NULL,
    stream INTEGER NOT NULL,
    asked TEXT NOT NULL,
    deployment TEXT NOT NULL,
    UNIQUE (
        resource, project, caller_kind, caller_id, caller_name, product, surface, operation, stream, asked, deployment
    )
);

CREATE TABLE endings (
    number INTEGER PRIMARY KEY,
    backend TEXT NOT NULL,
    model TEXT NOT NULL,
    counted INTEGER NOT NULL,
    currency TEXT NOT NULL,
    price_version TEXT NOT NULL,
    status INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    cache TEXT NOT NULL,
    flag TEXT NOT NULL,
    UNIQUE (backend, model, counted, currency, price_version, status, outcome, cache, flag)
);

CREATE TABLE calls (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    at REAL NOT NULL,
    account INTEGER NOT NULL REFERENCES accounts,
    ending INTEGER NOT NULL REFERENCES endings,
    attempts INTEGER NOT NULL,
    prompt INTEGER NOT NULL,
    completion INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    amount INTEGER, -- 10^-12 of the currency's unit, or NULL where the price is not known
    queued REAL NOT NULL,
    first_byte REAL,
    seconds REAL NOT NULL,
    detail TEXT
);
CREATE INDEX calls_by_account ON calls (account, at);

-- The last call whose detail was forgotten: what is older needs not be looked at again.
CREATE TABLE forgotten (sequence INTEGER NOT NULL);
INSERT INTO forgotten VALUES (0);
