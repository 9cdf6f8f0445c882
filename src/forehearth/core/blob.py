"""Bytes that are kept beside the documents that speak of them: the content of files."""

import msgspec


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """Some bytes, as they are kept. Others with the same bytes may share the room that they take."""

    name: str
    """Given by whoever keeps it, and to nothing else: letters, digits, `_`, `-` and `.`."""
    digest: str
    """SHA-256 of the bytes, in hexadecimal digits."""
    size: int
    """Bytes."""


class BlobMissing(Exception):
    """There are no such bytes here: they were deleted, or are kept by another server."""
