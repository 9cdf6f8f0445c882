"""What is kept of a file besides its bytes: one document a file, JSON."""

from typing import Final, Self

import msgspec

from forehearth.core.blob import Blob
from forehearth.core.document import Document

PURPOSES: Final = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
"""What a caller may upload a file for. Source: `CreateFileRequest` of OpenAI's specification; Azure has four."""
SHORTEST_LIFE: Final = 3_600
LONGEST_LIFE: Final = 2_592_000
"""Seconds that `expires_after` may be, from and to. Source: `FileExpirationAfter`."""
BATCH_LIFE: Final = 2_592_000
"""Seconds after which a file for a batch expires where nothing else was said. Source: `FileExpirationAfter`."""


class NewFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller says of a file."""

    filename: str
    """Text, and never a path."""
    purpose: str
    seconds: int | None = None
    """After so many it expires; None for what is usual for its purpose."""

    @property
    def life(self) -> int | None:
        """Seconds that it is kept; None for ever."""
        return BATCH_LIFE if self.seconds is None and self.purpose == "batch" else self.seconds


class FileRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The body of its document."""

    filename: str
    purpose: str
    blob: Blob

    @classmethod
    def of(cls, document: Document) -> Self:
        """Read it."""
        return msgspec.json.decode(document.body, type=cls)


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it is."""

    id: str
    created: int
    """Unix seconds."""
    expires: int | None
    """Unix seconds; None for never."""
    record: FileRecord

    @classmethod
    def of(cls, document: Document) -> Self:
        """Read it."""
        expires = None if document.expires is None else int(document.expires)
        return cls(id=document.id, created=int(document.created), expires=expires, record=FileRecord.of(document))
