-- What became of each call. In a file of its own: it grows with every call, and each write of it reaches the disk.

CREATE TABLE ledger (
    id TEXT NOT NULL PRIMARY KEY,
    at REAL NOT NULL,
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
    backend TEXT NOT NULL,
    model TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    prompt INTEGER NOT NULL,
    completion INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    amount INTEGER, -- 10^-12 of the currency's unit, or NULL where the price is not known
    currency TEXT NOT NULL,
    price_version TEXT NOT NULL,
    queued REAL NOT NULL,
    first_byte REAL,
    seconds REAL NOT NULL,
    status INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    cache TEXT NOT NULL,
    flag TEXT NOT NULL,
    detail TEXT
);
CREATE INDEX ledger_by_time ON ledger (resource, at, id);
CREATE INDEX ledger_by_age ON ledger (at);
CREATE INDEX ledger_explained ON ledger (at) WHERE detail IS NOT NULL;
