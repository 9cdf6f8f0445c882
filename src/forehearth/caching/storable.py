"""Which answers may be given again: whole ones that the model ended by itself and nobody filtered.

Never: an answer with a call of a tool or function, a refusal, one that was cut off, one that a content filter touched
or could not check, one without text, a stream that did not reach its end, and what cannot be read.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from forehearth.core.call import Operation

_DONE: Final = b"[DONE]"
_OPENING: Final = 300
"""Characters in which a refusal is looked for: models say no at once."""
_REFUSAL: Final = re.compile(
    r"\b(?:i|we)(?:'m| am|'re| are)?(?: (?:really|very|so))?(?: sorry,? (?:but )?(?:i|we))?"
    r" (?:can(?:'?t|not| not)|won't|will not|unable to|not able to|must decline|have to decline"
    r"|(?:do not|don't) (?:feel comfortable|have (?:access|information|enough)))\b"
    r"|\bes tut mir leid\b|\bich kann (?:dabei|das|ihnen|dir|diese)\b[^.]{0,60}\bnicht\b"
    r"|\bje (?:suis d\u00e9sol\u00e9e?|ne peux pas)\b|\blo siento\b",
    re.IGNORECASE,
)
_APOSTROPHE: Final = "\u2019"


class _Said(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[msgspec.Raw] | None = None
    function_call: Any = None


class _Choice(msgspec.Struct):
    index: int = 0
    finish_reason: str | None = None
    message: _Said | None = None
    delta: _Said | None = None
    text: str | None = None
    content_filter_results: Any = None
    content_filter_result: Any = None


class _Part(msgspec.Struct):
    """A whole answer, or one event of a stream."""

    choices: list[_Choice] = []
    data: list[msgspec.Raw] | None = None
    error: Any = None
    prompt_filter_results: Any = None
    prompt_annotations: Any = None


class _Ending(msgspec.Struct):
    """What one choice came to."""

    text: str = ""
    reason: str = ""


_decoder: Final = msgspec.json.Decoder(_Part)


def whole(operation: Operation, body: bytes) -> str:
    """Why this answer of status 200 must not be kept; empty where it may."""
    try:
        part = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "it cannot be read"
    if operation is Operation.EMBEDDINGS:
        return "" if part.data and part.error is None else "it has no vectors"
    return _judge([part])


def stream(pieces: Iterable[bytes]) -> str:
    """The same of the pieces of a stream, cut anywhere, that ended without a fault."""
    events = [line[5:].strip() for line in b"".join(pieces).splitlines() if line.startswith(b"data:")]
    if not events or events.pop() != _DONE:
        return "the stream has no end"
    try:
        parts = [_decoder.decode(event) for event in events]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "it cannot be read"
    return _judge(parts)


def _judge(parts: list[_Part]) -> str:
    endings: dict[int, _Ending] = {}
    for part in parts:
        if part.error is not None:
            return "it tells of an error"
        if _touched(part.prompt_filter_results) or _touched(part.prompt_annotations):
            return "a content filter looked at the prompt and did not let it pass"
        for choice in part.choices:
            objection = _add(choice, endings.setdefault(choice.index, _Ending()))
            if objection:
                return objection
    if not endings:
        return "it has no choices"
    return next(filter(None, map(_objection, endings.values())), "")


def _add(choice: _Choice, ending: _Ending) -> str:
    """Take up a choice, or a piece of one; what stands against keeping it, else nothing."""
    said = choice.message or choice.delta or _Said()
    if said.tool_calls or said.function_call is not None:
        return "it calls a tool"
    if said.refusal:
        return "it is a refusal"
    if _touched(choice.content_filter_results) or _touched(choice.content_filter_result):
        return "a content filter did not let it pass"
    ending.text += said.content or choice.text or ""
    ending.reason = choice.finish_reason or ending.reason
    return ""


def _objection(ending: _Ending) -> str:
    if ending.reason != "stop":
        return f"it ended with {ending.reason}" if ending.reason in _REASONS else "it did not end by itself"
    if not ending.text.strip():
        return "it has no text"
    return "it is a refusal" if _REFUSAL.search(ending.text[:_OPENING].replace(_APOSTROPHE, "'")) else ""


_REASONS: Final = frozenset({"length", "tool_calls", "function_call", "content_filter"})


def _touched(verdict: Any) -> bool:
    """Whether a filter took something out, found an attack, or could not look."""
    if isinstance(verdict, list):
        return any(map(_touched, verdict))
    if not isinstance(verdict, dict):
        return False
    if verdict.get("filtered") is True or verdict.get("detected") is True or verdict.get("error") is not None:
        return True
    return any(map(_touched, verdict.values()))
