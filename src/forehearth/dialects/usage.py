"""What a backend says a call used, read from OpenAI-shaped replies: whole bodies, and streams as they pass.

Reading never changes a byte, and what cannot be read counts as not reported: usage is never invented.
"""

import re
from collections.abc import Callable
from contextlib import suppress

import msgspec

from forehearth.core.errors import Broken
from forehearth.core.usage import Usage
from forehearth.dialects.usage_members import Body, Details, Response, ResponseEvent

_REPORTED = re.compile(rb'"usage"\s*:\s*\{')
_NAME = b'"usage"'
_BLANK_LINES = (b"\n\n", b"\r\n\r\n", b"\r\r")
_LONGEST_EVENT = 1 << 20
"""An event longer than this is not looked into; usage events are a few hundred bytes."""


_decoder = msgspec.json.Decoder(Body)
_response_decoder = msgspec.json.Decoder(Response)
_event_decoder = msgspec.json.Decoder(ResponseEvent)


def read(body: bytes) -> Usage | None:
    """The usage that `body`, one JSON object, reports; None when it reports none. Raises `Broken` for no JSON."""
    try:
        counts = _decoder.decode(body).usage
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Broken("The model's host sent a body that is not JSON.") from error
    if counts is None:
        return None
    before = counts.prompt_tokens_details or Details()
    after = counts.completion_tokens_details or Details()
    return Usage(
        prompt=counts.prompt_tokens,
        completion=counts.completion_tokens or 0,
        cached=before.cached_tokens or 0,
        reasoning=after.reasoning_tokens or 0,
    )


def read_response(body: bytes) -> Usage | None:
    """The same of a response of the Responses API."""
    return _of_response(body, _response_decoder.decode)


def read_response_event(body: bytes) -> Usage | None:
    """The same of one of its events."""
    return _of_response(body, lambda text: _event_decoder.decode(text).response)


def _of_response(body: bytes, decode: Callable[[bytes], Response | None]) -> Usage | None:
    try:
        found = decode(body)
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Broken("The model's host sent a body that is not JSON.") from error
    counts = None if found is None else found.usage
    if counts is None:
        return None
    before = counts.input_tokens_details or Details()
    after = counts.output_tokens_details or Details()
    return Usage(
        prompt=counts.input_tokens,
        completion=counts.output_tokens or 0,
        cached=before.cached_tokens or 0,
        reasoning=after.reasoning_tokens or 0,
    )


class StreamUsage:
    """Watches a stream of server-sent events go by, in pieces cut anywhere, for the last usage that it reports.

    `read_event` reads it from the data of one; `longest` is how many bytes of one are looked into.
    """

    __slots__ = ("_read", "_rest", "longest", "usage")

    def __init__(self, read_event: Callable[[bytes], Usage | None] = read, longest: int = _LONGEST_EVENT) -> None:
        self._rest = b""
        self._read = read_event
        self.longest = longest
        self.usage: Usage | None = None

    def feed(self, piece: bytes) -> None:
        """Look at the next piece."""
        text = self._rest + piece if self._rest else piece
        if text.endswith(_BLANK_LINES):
            self._rest = b""
            self._read_events(text)
            return
        end = max(text.rfind(blank) for blank in _BLANK_LINES)
        complete, self._rest = (text[:end], text[end:]) if end >= 0 else (b"", text)
        if len(self._rest) > self.longest:
            self._rest = b""
        self._read_events(complete)

    def finish(self) -> Usage | None:
        """The usage, now that the stream has ended; an unterminated last event counts too."""
        self._read_events(self._rest)
        self._rest = b""
        return self.usage

    def _read_events(self, text: bytes) -> None:
        """Look for a report from the end on: the last one counts, and hosts mostly say it last."""
        at = text.rfind(_NAME)
        while at >= 0:
            if _REPORTED.match(text, at):
                start, end = _line_around(text, at)
                at = start
                if text.startswith(b"data:", start):
                    with suppress(Broken):  # a stream passes as it is; its odd lines only count for nothing
                        found = self._read(text[start + 5 : end])
                        if found is not None:
                            self.usage = found
                            return
            at = text.rfind(_NAME, 0, at)


def _line_around(text: bytes, at: int) -> tuple[int, int]:
    """Where the line begins and ends that has the byte at `at`."""
    start = text.rfind(b"\n", 0, at) + 1
    start = max(start, text.rfind(b"\r", start, at) + 1)
    end = text.find(b"\n", at)
    end = len(text) if end < 0 else end
    earlier = text.find(b"\r", at, end)
    return start, end if earlier < 0 else earlier
