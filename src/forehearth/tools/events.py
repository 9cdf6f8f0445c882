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
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0
        self._begun = False
        self.last_id = b""
        self.retry: float | None = None
        """Seconds after which the server wants to be asked again, where it said so."""

    def feed(self, piece: bytes) -> list[Event]:
        """The events that `piece` completes. Raises `EventTooLong`."""
        text = self._rest + piece
        # A line end that is cut in two is one line end, so the first half waits for the second.
        held = b"\r" if text.endswith(b"\r") else b""
        lines = _LINE.split(text[: len(text) - len(held)])
        self._rest = lines.pop() + held
        if not self._begun and lines:
            self._begun = True
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
        found = [event for line in lines if (event := self._take(line)) is not None]
        if self._size + len(self._rest) > self._most:
            raise EventTooLong
        return found

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
