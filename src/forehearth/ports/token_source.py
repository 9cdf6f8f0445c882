"""Where the tokens come from that backends let us in by, and who has the one that is good now."""

from typing import Protocol

import msgspec

from forehearth.core.secret import Secret


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as its issuer gave it. Both times are Unix seconds."""

    secret: Secret
    expires: float
    refresh: float | None = None
    """When its issuer would like the next one to be fetched, where it says so."""


class NoToken(Exception):
    """An issuer gave none. `reason` is fit for the log: no secret, and nothing of what the issuer answered."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TokenIssuer(Protocol):
    """Gets tokens of one credential for one scope."""

    async def fetch(self) -> Token:
        """A new token, not one that was kept. Raises `NoToken`."""
        ...


class TokenSource(Protocol):
    """Has the token that is good now."""

    def current(self) -> Secret:
        """The token to send. Raises `Unreachable` when none could be had yet, or the last one has ended."""
        ...
