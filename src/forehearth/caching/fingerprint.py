"""What makes two calls the same: digests of everything in a call that may decide its answer.

    in      the operation; every member of the body, known here or not, but for those below, whatever the order, white
            space, escapes and spelling of numbers; whether it is a stream; the forwarded headers that hosts act on
    out     `model`       the deployment decides, and it is part of the scope
            `stream`      its meaning is in: absent, null and false are one
            `metadata`    labels of a kept answer; a call with `store: true` is not cached at all
            `prompt_cache_key`, `prompt_cache_retention`    how a host caches prompts, not what it answers
            headers that only trace a call

A difference too many costs a miss; a difference too few gives somebody a wrong answer. So an unknown member counts, and
a body that two readers could understand differently (a member that is there twice) is not cached.
"""

import json
import math
from hashlib import blake2b
from typing import Any, Final

import msgspec

from forehearth.core.cache_settings import SemanticCacheSettings
from forehearth.core.call import MEDIA, Call, Operation

LONGEST_BODY: Final = 262_144
"""Bytes of a body that is looked at: to read a longer one would keep other calls waiting."""
LONGEST_MESSAGE: Final = 1_000
"""Characters of a message that one vector can stand for."""
_LEFT_OUT: Final = frozenset({"model", "stream", "metadata", "prompt_cache_key", "prompt_cache_retention"})
_TRACING: Final = frozenset({b"traceparent", b"tracestate", b"x-ms-client-request-id"})
_LIVE: Final = ("data_sources", "web_search_options")
"""Members that make an answer of what is elsewhere at that moment."""
_SYSTEM: Final = frozenset({"system", "developer"})
_TEXT_PART: Final = frozenset({"type", "text"})
_DEFAULT_TEMPERATURE: Final = 1.0
_FIRST_INEXACT: Final = 2**53


class NotCacheable(Exception):
    """A call that is neither answered from a cache nor kept. Its text says why, and has nothing of the caller's."""


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """A call as the exact cache tells it from others."""

    exact: bytes
    around: list[object]
    """What decides besides the body."""
    body: dict[str, Any]
    """The members that decide."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A call as the semantic cache tells it from others: the last user message, and all the rest."""

    context: bytes
    """The digest of the rest, which must be equal."""
    message: str


def fingerprint(call: Call, *, max_temperature: float) -> Fingerprint:
    """The fingerprint of everything. Raises `NotCacheable`."""
    if call.operation in MEDIA:
        raise NotCacheable("sound and pictures are not kept")
    if call.responses is not None:
        raise NotCacheable("its deployment has hosts that are asked by the Responses API")
    if call.truncation == "auto":
        raise NotCacheable("its conversation may be shortened")
    if len(call.body) > LONGEST_BODY:
        raise NotCacheable("its body is too long")
    body = _read(call.body)
    _require_cacheable(call, body, max_temperature)
    headers = sorted((name.decode("latin-1"), value.decode("latin-1")) for name, value in _deciding(call))
    around: list[object] = [call.operation.value, call.stream, headers]
    kept = {name: value for name, value in body.items() if name not in _LEFT_OUT}
    return Fingerprint(exact=_digest([*around, kept]), around=around, body=kept)


def question(found: Fingerprint, wanted: SemanticCacheSettings) -> Question:
    """The last user message and the fingerprint of all the rest. Raises `NotCacheable`."""
    messages = found.body.get("messages")
    if found.around[0] != Operation.CHAT.value or not messages:
        raise NotCacheable("it is no chat")
    *earlier, last = messages
    dialog = [each for each in messages if each.get("role") not in _SYSTEM]
    if wanted.max_message_count is not None and len(dialog) > wanted.max_message_count:
        raise NotCacheable("the conversation has too many messages")
    if last.get("role") != "user":
        raise NotCacheable("its last message is not the user's")
    if wanted.ignore_system_messages:
        earlier = [each for each in earlier if each.get("role") not in _SYSTEM]
    rest = {name: value for name, value in found.body.items() if name != "messages"}
    beside = {name: value for name, value in last.items() if name != "content"}
    return Question(
        context=_digest([*found.around, rest, earlier, beside]),
        message=_text(last.get("content")),
    )


def _require_cacheable(call: Call, body: dict[str, Any], max_temperature: float) -> None:
    if body.get("store"):
        raise NotCacheable("it asks the host to keep the answer")
    if any(body.get(name) for name in _LIVE):
        raise NotCacheable("its answer depends on what is elsewhere")
    if call.operation is not Operation.EMBEDDINGS:
        temperature = body.get("temperature")
        if (_DEFAULT_TEMPERATURE if temperature is None else temperature) > max_temperature:
            raise NotCacheable("its temperature is above the bound")


def _deciding(call: Call) -> list[tuple[bytes, bytes]]:
    return [each for each in call.forward.items() if each[0] not in _TRACING]


def _text(content: object) -> str:
    """The text of a message that is nothing but text."""
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts = [text for each in parts if (text := _text_of(each)) is not None]
    if len(texts) != len(parts):
        raise NotCacheable("its last message is not text alone")
    found = "\n".join(texts)
    if len(found) > LONGEST_MESSAGE:
        raise NotCacheable("its last message is too long")
    if not found.strip():
        raise NotCacheable("its last message is empty")
    return found


def _text_of(part: object) -> str | None:
    """The text of a part that has nothing besides."""
    text = part["text"] if isinstance(part, dict) and part.keys() == _TEXT_PART else None
    return text if isinstance(text, str) else None


def _read(body: bytes) -> dict[str, Any]:
    try:
        found = _DECODER.decode(body.decode())
    except (ValueError, RecursionError):
        raise NotCacheable("its body can be read in more than one way") from None
    if not isinstance(found, dict):
        raise NotCacheable("its body is no object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found


def _constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _number(text: str) -> float | int:
    """One value for every spelling: 1.0 and 10e-1 are 1."""
    value = float(text)
    if math.isinf(value):
        raise ValueError("beyond every number")
    return int(value) if value.is_integer() and abs(value) < _FIRST_INEXACT else value


def _digest(parts: list[object]) -> bytes:
    try:
        return blake2b(_ENCODER.encode(parts), digest_size=32).digest()
    except (ValueError, OverflowError, RecursionError):  # halves of characters, numbers of more than 64 bits
        raise NotCacheable("its body has what not every host reads alike") from None


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_once, parse_float=_number, parse_constant=_constant)
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
