"""One endpoint of the server: a path and a method, and what they ask of their caller."""

import msgspec

from forehearth.core.permission import Permission


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an endpoint table. What is in no table is not served."""

    method: str
    path: str
    """The path's form, with `{names}` for what varies."""
    permission: Permission | None
    """What the caller needs; None where nobody is asked who they are."""
    name: str
    """What is done, for metrics and the audit log."""
    keys: bool = True
    """Whether an API key will do; otherwise it takes a token."""
