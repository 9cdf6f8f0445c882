"""One thing that the server keeps: a key, a response, a file's facts. It belongs to a place."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from forehearth.core.errors import StoreInDoubt, StoreUnavailable
from forehearth.core.place import Place

_AGAIN: Final = 1.0
"""Seconds after which a store that was away may be back."""
_NOT_STORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A body of JSON under an id, and what is known of it without reading it."""

    place: Place
    kind: str
    """What sort of thing it is: `key`, `response`, … Ids are told apart within a place and a kind."""
    id: str
    parent: str = ""
    """The id of what it hangs under; empty where there is no such thing."""
    sequence: int = 0
    """Grows with each document that is asked for after another was answered; the store gives it."""
    created: float
    """Unix seconds."""
    updated: float
    etag: str = ""
    """Changes with every write, and is never had again by another document of the same id; the store gives it."""
    metadata: Mapping[str, str] = {}
    body: bytes
    expires: float | None = None
    """From then on, in Unix seconds, it is not there any more; None for never."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which documents of a place, in which order."""

    place: Place
    kind: str
    now: float
    """What has expired by then is left out."""
    parent: str | None = None
    """Only what hangs under this; everything when None."""
    metadata: Mapping[str, str] = {}
    """Only what has all of these."""
    after: str | None = None
    """Begin behind the document of this id, in the order that is asked for."""
    before: str | None = None
    """End before the document of this id."""
    limit: int = 20
    newest_first: bool = True


class DocumentExists(Exception):
    """There is one of this place, kind and id."""


class DocumentChanged(Exception):
    """It is not as it was when it was read, or it is gone."""


class CursorLost(Exception):
    """There is no document from which the page could begin or before which it could end. `bound` is which of them."""

    def __init__(self, bound: str) -> None:
        super().__init__(bound)
        self.bound = bound


class StoreFailed(Exception):
    """The store cannot be written or read now: its disk is full, or its server away. The same may succeed later.

    Nothing was changed, unless it is `uncertain`: then the server went away before it answered, and what was asked may
    have been carried out. Read before asking again.
    """

    def __init__(self, message: str, *, uncertain: bool = False) -> None:
        super().__init__(message)
        self.uncertain = uncertain


def unavailable(error: StoreFailed) -> StoreUnavailable:
    """What callers are told of it."""
    if error.uncertain:
        return StoreInDoubt("The store went away before it answered: look whether it was done before you ask again.")
    return StoreUnavailable("The store cannot be used now: nothing was changed.", retry_after=_AGAIN)


def storable(text: str) -> bool:
    """Whether every store can keep a text: no U+0000, and no half of a surrogate pair."""
    return _NOT_STORABLE.search(text) is None
