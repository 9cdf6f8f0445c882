"""Server-sent events as they came, byte by byte, from pieces of a stream that are cut anywhere."""

import re
from collections.abc import Iterator
from typing import Final

from forehearth.core.errors import Broken

_BLANK: Final = re.compile(rb"\n\r?\n|\r\r")
_LINE: Final = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
LONGEST: Final = 32 << 20
"""Bytes of one event: the last one of a response has all of it, images included."""


class Blocks:
    """The events of a stream, the blank line behind each included. Raises `Broken`."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Those that end in this piece."""
        rest = self._rest
        start, looked_at = 0, max(0, len(rest) - 2)
        rest += piece
        while (found := _BLANK.search(rest, looked_at)) is not None:
            yield bytes(rest[start : found.end()])
            start = looked_at = found.end()
        del rest[:start]
        if len(rest) > LONGEST:
            raise Broken("The model's host sent an event that is too long.")

    def finish(self) -> bytes:
        """What nobody closed, at the stream's end."""
        rest = bytes(self._rest)
        self._rest.clear()
        return rest


def data(block: bytes) -> bytes:
    """The data of an event; empty for a comment."""
    lines = [line[5:].removeprefix(b" ") for line in _lines(block) if line.startswith(b"data:")]
    return b"\n".join(lines)


def with_data(block: bytes, value: bytes) -> bytes:
    """The same event with this data, in one line, in the place of what it had."""
    out, placed = [], False
    for found in _LINE.finditer(block):
        line = found.group()
        if not line.startswith(b"data:"):
            out.append(line)
        elif not placed:
            end = line[len(line.rstrip(b"\r\n")) :]
            out.append(b"data: " + value + end)
            placed = True
    return b"".join(out)


def _lines(block: bytes) -> list[bytes]:
    return [found.group().rstrip(b"\r\n") for found in _LINE.finditer(block)]
