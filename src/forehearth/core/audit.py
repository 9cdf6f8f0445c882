"""One line of the audit log: who did what to which thing, allowed or not."""

import msgspec


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is never changed, and removed only when it is too old."""

    sequence: int = 0
    """Grows with each record; the store gives it."""
    at: float
    """Unix seconds."""
    request_id: str
    resource: str
    project: str = ""
    actor: str
    """The name of who did it."""
    actor_kind: str
    action: str
    """The endpoint's name, such as `keys.create`."""
    target: str = ""
    """The id of what it was done to."""
    allowed: bool
    status: int
    detail: str = ""


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which records, newest first."""

    resource: str | None = None
    actor: str | None = None
    action: str | None = None
    since: float | None = None
    before: int | None = None
    """Only those with a smaller sequence: what comes after a page."""
    limit: int = 100
