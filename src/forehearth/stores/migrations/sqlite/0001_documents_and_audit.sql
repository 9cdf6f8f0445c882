-- Documents of every kind, the counters that tell of their changes, and the audit log.

CREATE TABLE documents (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    resource TEXT NOT NULL,
    project TEXT NOT NULL,
    agent TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    parent TEXT NOT NULL,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    etag INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    body BLOB NOT NULL,
    expires REAL,
    UNIQUE (resource, project, agent, kind, id)
);
CREATE INDEX documents_by_parent ON documents (resource, project, agent, kind, parent, sequence);
CREATE INDEX documents_by_kind ON documents (kind, sequence);
CREATE INDEX documents_that_expire ON documents (expires) WHERE expires IS NOT NULL;

CREATE TABLE versions (
    kind TEXT PRIMARY KEY,
    version INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    request_id TEXT NOT NULL,
    resource TEXT NOT NULL,
    project TEXT NOT NULL,
    actor TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    allowed INTEGER NOT NULL,
    status INTEGER NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX audit_by_time ON audit (at);
