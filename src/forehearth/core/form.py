"""A form that was uploaded: its bytes lie somewhere else than in memory, and what is known of them is here."""

from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec


class Held(Protocol):
    """Bytes that were put by for as long as a call lasts. They can be read again, from anywhere in them."""

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def pieces(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Those from `start` up to `end`, piece by piece. Raises `StoreFailed` where they cannot be read."""
        ...


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """A `multipart/form-data` body as its client wrote it."""

    content_type: bytes
    """The request's header, as it was sent."""
    boundary: bytes
    held: Held
    model_at: tuple[int, int] | None = None
    """Where in it the value of its field `model` is; None where it has none."""
    texts: int = 0
    """Bytes of the fields that a model reads."""
    images: int = 0
    """Files that are images."""
