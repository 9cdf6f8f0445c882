"""Takes out of a stream what it reports of usage, for clients that did not ask for it. All other bytes stay."""

import re

import msgspec

_USAGE = b'"usage"'
_NULL = re.compile(rb',\s*"usage"\s*:\s*null(?=\s*[,}])')
_EVENT = re.compile(rb".*?(?:\r\n\r\n|\n\n|\r\r)", re.DOTALL)
_BLANK_LINES = (b"\n\n", b"\r\n\r\n", b"\r\r")
_LONGEST_EVENT = 1 << 20
"""One that is longer passes as it is."""


class _Report(msgspec.Struct):
    choices: list[msgspec.Raw]
    usage: msgspec.Raw


_decoder = msgspec.json.Decoder(_Report)


class WithoutUsage:
    """A stream of server-sent events, in pieces cut anywhere, without what it says of usage."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> bytes:
        """What goes on of the next piece. An event that is cut waits for its end."""
        text = self._rest + piece if self._rest else piece
        if not text.endswith(_BLANK_LINES):
            end = max(text.rfind(blank) + len(blank) if blank in text else 0 for blank in _BLANK_LINES)
            text, self._rest = text[:end], text[end:]
            if len(self._rest) > _LONGEST_EVENT:
                text, self._rest = text + self._rest, b""
        else:
            self._rest = b""
        return text if _USAGE not in text else self._without(text)

    def finish(self) -> bytes:
        """What is left at the end: an event that nobody finished."""
        rest, self._rest = self._rest, b""
        return rest

    def _without(self, text: bytes) -> bytes:
        kept = []
        end = 0
        for event in _EVENT.finditer(text):
            end = event.end()
            if not _is_report(event.group()):
                kept.append(_NULL.sub(b"", event.group()) if _USAGE in event.group() else event.group())
        return b"".join(kept) + text[end:]


def _is_report(event: bytes) -> bool:
    """Whether it has no answer in it and says nothing but what was used."""
    if _USAGE not in event:
        return False
    lines = [line[5:] for line in event.splitlines() if line.startswith(b"data:")]
    try:
        report = _decoder.decode(b"".join(lines))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return not report.choices and bytes(report.usage) != b"null"
