-- What limits are counted by, in a file of its own: many small writes, of which the last second may be lost with the power.

CREATE TABLE counters (
    counter TEXT PRIMARY KEY,
    period TEXT NOT NULL,
    "window" INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    taken INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE shares (
    counter TEXT NOT NULL,
    worker TEXT NOT NULL,
    held INTEGER NOT NULL,
    lapses REAL NOT NULL,
    tail REAL NOT NULL,
    PRIMARY KEY (counter, worker)
) WITHOUT ROWID;
CREATE INDEX shares_by_worker ON shares (worker);

CREATE TABLE turns (
    counter TEXT NOT NULL,
    tenant TEXT NOT NULL,
    worker TEXT NOT NULL,
    wanted INTEGER NOT NULL,
    until REAL NOT NULL,
    served INTEGER NOT NULL,
    PRIMARY KEY (counter, tenant, worker)
) WITHOUT ROWID;
