"""Server-sent events, from pieces of a body that are cut anywhere."""

import re
from typing import Final

import msgspec

_LINE: Final = re.compile(rb"\r\n|\n|\r")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event: its data, the lines of it joined, and the last id that there was by then."""

    data: bytes
    id: bytes = b""


class EventTooLong(ValueError):
    """An event, or a line, has more bytes than are read."""


class Events:
    """Decodes as the HTML standard says; `most` bounds what is kept of an event that is not complete."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rest: list[bytes] = []
        """A line that is not complete, in the pieces that it came in."""
        self._held = 0
        """Bytes of it."""
        self._data: list[bytes] = []
        self._size = 0
        self._begun = False
        self.last_id = b""
        self.retry: float | None = None
        """Seconds after which the server wants to be asked again, where it said so."""

    def feed(self, piece: bytes) -> list[Event]:
        """The events that `piece` completes. Raises `EventTooLong`."""
        cut = bool(self._rest) and self._rest[-1].endswith(b"\r")
        self._rest.append(piece)
        self._held += len(piece)
        found = self._lines() if cut or b"\n" in piece or b"\r" in piece else []
        if self._size + self._held > self._most:
            raise EventTooLong
        return found

    def _lines(self) -> list[Event]:
        text = b"".join(self._rest)
        # A line end that is cut in two is one line end, so the first half waits for the second.
        held = b"\r" if text.endswith(b"\r") else b""
        lines = _LINE.split(text[: len(text) - len(held)])
        rest = lines.pop() + held
        self._rest, self._held = [rest], len(rest)
        if not self._begun and lines:
            self._begun = True
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
        return [event for line in lines if (event := self._take(line)) is not None]

    def _take(self, line: bytes) -> Event | None:
        if not line:
            data, self._data, self._size = self._data, [], 0
            return Event(data=b"\n".join(data), id=self.last_id) if data else None
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._size += len(value) + 1
            if self._size > self._most:
                raise EventTooLong
        elif name == b"id" and b"\0" not in value:
            self.last_id = value
        elif name == b"retry" and value.isdigit() and len(value) < 10:  # noqa: PLR2004 - beyond, no delay is meant
            self.retry = int(value) / 1000
        return None
