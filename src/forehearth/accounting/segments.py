"""The form of a journal's files: one record a line, each with a check sum, read as far as they are whole.

    0f3a91c2 ["intent","5b0c…",1764150000.125,…]

Eight hex digits are the CRC-32 of what stands between the space after them and the end of the line; that is JSON, which
has no newline in it. A process that is killed leaves whole lines. A full disk or a power loss may leave part of one, or
zeros; such a line is passed over, and whatever is whole behind it is read.
"""

import os
from binascii import crc32
from pathlib import Path

import msgspec

_DIGITS = 8
READ_BYTES = 1 << 19
"""How much of a file is read at once."""
LONGEST = 1 << 24
"""A line longer than this is none."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Some of a file's records."""

    payloads: list[bytes]
    """Their JSON, in the file's order."""
    end: int
    """Where the next ones are looked for."""
    damaged: int = 0
    """Lines that were passed over."""


def line(payload: bytes) -> bytes:
    """A record as it stands in a file."""
    return b"%08x %b\n" % (crc32(payload), payload)


def read(path: Path, start: int, *, over: bool, most: int = READ_BYTES, but: bytes | None = None) -> Batch:
    """The records that begin at `start`, up to about `most` bytes of them, `but` those that begin so. Raises `OSError`.

    `over` says that nobody writes there any more: then a last line is read that lacks only its newline, and what is
    left behind it is damaged. Otherwise it is left for later, because it may be half written.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(start)
        data = file.read(most)
        while b"\n" not in data and start + len(data) < size and len(data) < LONGEST:
            data += file.read(most)
    return parse(data, start, over=over and start + len(data) >= size, but=but)


def parse(data: bytes, start: int, *, over: bool, but: bytes | None = None) -> Batch:
    """The same for bytes that stand at `start`; see `read`."""
    lines = data.split(b"\n")
    rest = lines.pop()
    if over and rest:
        lines.append(rest)
        rest = b""
    elif len(rest) >= LONGEST:
        rest = b""
    payloads: list[bytes] = []
    damaged = 0
    for each in lines:
        if but is not None and each.startswith(but, _DIGITS + 1):
            continue
        payload: bytes | None = each[_DIGITS + 1 :]
        if not payload or each[: _DIGITS + 1] != b"%08x " % crc32(payload):
            payload = _behind_zeros(each)
        if payload is not None:
            payloads.append(payload)
        elif each.strip(b"\0"):
            damaged += 1
    return Batch(payloads=payloads, end=start + len(data) - len(rest), damaged=damaged)


def _behind_zeros(text: bytes) -> bytes | None:
    """The record in a line whose beginning is none: zeros are what a power loss left of others, newlines included."""
    text = text[text.rfind(b"\0") + 1 :]
    payload = text[_DIGITS + 1 :]
    return payload if payload and text[: _DIGITS + 1] == b"%08x " % crc32(payload) else None
