-- What a job of enrichment keeps beside its file: its runs, and the answers that were paid for.

CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    fingerprint TEXT NOT NULL,
    run TEXT NOT NULL
);
CREATE INDEX runs_by_fingerprint ON runs (fingerprint);

-- With row ids: prompts come in the order of their hashes, which is none, and answers are large.
CREATE TABLE answers (
    prompt BLOB PRIMARY KEY,
    answer BLOB NOT NULL
);

CREATE TABLE wishes (
    run TEXT PRIMARY KEY,
    wish TEXT NOT NULL
) WITHOUT ROWID;
