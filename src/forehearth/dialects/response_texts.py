"""What an answer of the Responses API says, as text: whole, or piece by piece as a stream passes. For counting."""

from typing import Any, Final

import msgspec

from forehearth.core.usage import Usage
from forehearth.dialects.answers import StreamText
from forehearth.dialects.usage import StreamUsage, read_response_event

_DELTA: Final = ".delta"
_LONGEST_RESPONSE: Final = 8 << 20
"""Bytes of an event that are looked into: the last one has the whole response in it."""


class _Whole(msgspec.Struct):
    output: list[dict[str, Any]] = []


class _Event(msgspec.Struct):
    type: str = ""
    delta: Any = None


_decoder = msgspec.json.Decoder(_Whole)
_event_decoder = msgspec.json.Decoder(_Event)


def texts(body: bytes) -> list[str]:
    """What each item of a whole response says: a message's texts, and of any other item all that it has."""
    try:
        output = _decoder.decode(body).output
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    return [_text(item) for item in output]


def _text(item: dict[str, Any]) -> str:
    parts = item.get("content")
    if item.get("type") != "message" or not isinstance(parts, list):
        return msgspec.json.encode(item).decode()
    said = (part.get("text") or part.get("refusal") for part in parts if isinstance(part, dict))
    return "".join(text for text in said if isinstance(text, str))


class ResponseText(StreamText):
    """Follows a stream of the Responses API's events, in pieces cut anywhere: every `delta` is something said."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(StreamUsage(read_response_event, _LONGEST_RESPONSE))

    def take(self, data: bytes) -> None:
        """See `dialects.answers`."""
        try:
            event = _event_decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if event.type.endswith(_DELTA) and isinstance(event.delta, str) and event.delta:
            self.say(0, event.delta)

    def cut_short(self, message: str, reported: Usage | None) -> bytes:  # noqa: ARG002 - whoever hands it on says it
        """The event that ends a stream before its model did. Whoever hands it on knows the rest of the response."""
        event = {
            "type": "response.incomplete",
            "response": {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            "forehearth": {"ended_by": "output_bound", "message": message},
        }
        return b"event: response.incomplete\ndata: " + msgspec.json.encode(event) + b"\n\n"
