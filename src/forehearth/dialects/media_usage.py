"""Usage in the answers of media, found as they pass: JSON with pictures in it, events, or sound, in pieces of any size.

Nothing is held but what may be the report: its name, and then the object behind it. Letters of a picture have no
quotes, and a text's quotes are escaped, so nothing else looks like it. The last report counts.
"""

import re
from typing import Annotated, Final

import msgspec

from forehearth.core.usage import Usage

_REPORT: Final = re.compile(rb'"usage"\s*:\s*(\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})')
_BEGUN: Final = re.compile(rb'"usage"\s*(?::\s*(?:\{|\Z)|\Z)')
"""What may become one with what comes next."""
_NAME: Final = b'"usage"'
_LONGEST: Final = 4_096
"""Bytes of a report, from its name on."""

_Tokens = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]


class _Details(msgspec.Struct):
    cached_tokens: _Tokens | None = None


class _Counts(msgspec.Struct):
    """`input_tokens`, as OpenAI reports for media, or `prompt_tokens`, as some hosts do."""

    input_tokens: _Tokens | None = None
    output_tokens: _Tokens | None = None
    prompt_tokens: _Tokens | None = None
    completion_tokens: _Tokens | None = None
    input_tokens_details: _Details | None = None


_decoder: Final = msgspec.json.Decoder(_Counts)


class MediaUsage:
    """Feed it an answer's pieces; at the end it has what was reported, in tokens: seconds are none."""

    __slots__ = ("_rest", "usage")

    def __init__(self) -> None:
        self._rest = b""
        self.usage: Usage | None = None

    def feed(self, piece: bytes) -> None:
        """Look at the next piece."""
        text = self._rest + piece if self._rest else piece
        after = 0
        at = text.find(_NAME)
        while at >= 0:
            found = _REPORT.match(text, at, at + _LONGEST)
            if found is not None:
                self.usage = _read(found[1]) or self.usage
            elif len(text) - at < _LONGEST and _BEGUN.match(text, at):
                self._rest = text[at:]
                return
            after = at + len(_NAME) if found is None else found.end()
            at = text.find(_NAME, after)
        self._rest = text[max(after, len(text) - len(_NAME) + 1) :]


def _read(report: bytes) -> Usage | None:
    try:
        counts = _decoder.decode(report)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    prompt = counts.prompt_tokens if counts.input_tokens is None else counts.input_tokens
    if prompt is None:
        return None
    completion = counts.completion_tokens if counts.output_tokens is None else counts.output_tokens
    cached = None if counts.input_tokens_details is None else counts.input_tokens_details.cached_tokens
    return Usage(prompt=prompt, completion=completion or 0, cached=min(cached or 0, prompt))
