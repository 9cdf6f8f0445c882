"""Whose turn it is to ask an issuer for its keys, among the workers of one machine, and what the last one heard."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking."""

    at: float
    """When that was begun, by the machine's monotonic clock."""
    document: bytes | None
    """The issuer's key set, as it came; None where it could not be had."""


class Turn(Protocol):
    """Held by one worker at a time."""

    @property
    def heard(self) -> Heard | None:
        """What the last one heard, whichever worker that was; None where nobody asked yet."""
        ...

    def tell(self, heard: Heard) -> None:
        """Leave for the others what was heard."""
        ...


class Turns(Protocol):
    """The turns at all issuers."""

    def of(self, issuer: str) -> AbstractAsyncContextManager[Turn]:
        """The turn at one of them: waits until no other worker has it, and keeps others waiting."""
        ...
