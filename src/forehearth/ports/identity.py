"""Who may come in."""

from collections.abc import Awaitable
from typing import Protocol

from forehearth.core.exchange import Head
from forehearth.core.principal import Principal


class Identity(Protocol):
    """Knows callers by their credentials."""

    def identify(self, head: Head, resource: str, *, keys: bool) -> Principal | Awaitable[Principal]:
        """The caller behind a head's credential, as `resource` knows it; without `keys`, only a token is one.

        At once wherever possible; an awaitable where an issuer's keys have to be fetched first. Either may raise
        `NotAuthenticated`; `PermissionDenied` where a key is good, and not from where it is used.
        """
        ...

    def still(self, principal: Principal, head: Head, resource: str, *, keys: bool) -> bool:
        """Whether `identify` would say now, at once, that it is this very caller, with these very permissions."""
        ...
