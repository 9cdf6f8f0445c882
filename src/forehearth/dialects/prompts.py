"""What of a request's body becomes tokens of the prompt: its texts, its images, and what only has a length."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from forehearth.core.call import Operation

_ESCAPE = b"\\u00"
_ESCAPED_LETTER = re.compile(rb"\\u00[67]")
"""Nobody writes a letter of ASCII so who has nothing to hide."""
_IMAGES = frozenset({"image_url", "input_image", "image"})
_NO_PROMPT = frozenset(
    {"model", "messages", "prompt", "input", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n"}
    | {"best_of", "temperature", "top_p", "frequency_penalty", "presence_penalty", "seed", "stop", "logprobs", "user"}
    | {"top_logprobs", "logit_bias", "parallel_tool_calls", "service_tier", "store", "metadata", "reasoning_effort"}
    | {"verbosity", "modalities", "dimensions", "encoding_format", "safety_identifier", "prompt_cache_key", "echo"}
)
"""Members that say how to answer, or are looked at one by one."""
_MESSAGE_TOKENS, _PRIMING_TOKENS = 4, 3
"""What a message costs besides its content, at the most, and what the beginning of the answer does."""


class _Address(msgspec.Struct):
    url: str = ""


class _Part(msgspec.Struct):
    type: str = ""
    image_url: _Address | str | None = None


class _Message(msgspec.Struct):
    content: str | list[_Part] | None = None


class _Chat(msgspec.Struct):
    messages: list[_Message] = []
    input: str | list[_Message] = []
    """Of a call that can be asked by the Responses API alone."""


_CHAT = Operation.CHAT  # to look a member of an enumeration up takes longer than to compare it
_decoder = msgspec.json.Decoder(_Chat)


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt, taken apart."""

    texts: tuple[str, ...]
    tokens: int
    """Tokens that are known: of messages' frames, and those that the caller sent as numbers."""
    size: int
    """Bytes of JSON of all else that the model sees: tools, schemas, sound, and members that nobody here knows."""
    images: int


def attached(operation: Operation, body: bytes) -> tuple[int, int]:
    """How many images a body has, and how many bytes of it are their addresses or their contents.

    Nearly every body is known to have none without being parsed.
    """
    find = body.find  # `in` would take longer than all the rest: it asks first whether what it looks for is a number
    if operation is not _CHAT or (
        find(b"image") < 0 and (find(b"\\") < 0 or find(_ESCAPE) < 0 or not _ESCAPED_LETTER.search(body))
    ):
        return 0, 0
    try:
        chat = _decoder.decode(body)
    except msgspec.ValidationError:
        return 0, 0
    messages = chat.messages or (chat.input if isinstance(chat.input, list) else [])
    images = [part for each in messages for part in each.content or () if not isinstance(part, str) and _is_image(part)]
    return len(images), sum(len(_url(part)) for part in images)


def prompt(operation: Operation, body: bytes) -> Prompt:
    """The prompt in a body, exactly."""
    members: dict[str, Any] = msgspec.json.decode(body)
    texts: list[str] = []
    tokens = size = images = 0
    if operation is Operation.CHAT:
        tokens = _PRIMING_TOKENS
        for message in members.get("messages") or _input(members.get("input")):
            tokens += _MESSAGE_TOKENS
            for part in _parts(message):
                if isinstance(part, str):
                    texts.append(part)
                elif part.get("type") in _IMAGES:
                    images += 1
                else:
                    size += _size(part)
    else:
        given = members.get("prompt" if operation is Operation.COMPLETIONS else "input")
        for each in given if isinstance(given, list) else [given]:
            if isinstance(each, str):
                texts.append(each)
            else:
                tokens += len(each) if isinstance(each, list) else 1
    size += sum(_size(value) for name, value in members.items() if name not in _NO_PROMPT)
    return Prompt(texts=tuple(texts), tokens=tokens, size=size, images=images)


def _input(given: Any) -> list[dict[str, Any]]:
    """The items of a body of the Responses API, each of which counts as a message."""
    if isinstance(given, str):
        return [{"content": given}]
    return [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []


def _parts(message: dict[str, Any]) -> Iterator[str | dict[str, Any]]:
    """A message's texts and its other parts; members besides content are parts of their own."""
    content = message.get("content")
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, dict) and part.get("type") in ("text", "input_text") and isinstance(part.get("text"), str):
            yield part["text"]
        elif isinstance(part, str | dict):
            yield part
    for name, value in message.items():
        if name not in ("role", "content") and value is not None:
            yield value if isinstance(value, str) else {name: value}


def _is_image(part: _Part) -> bool:
    return part.type in _IMAGES


def _url(part: _Part) -> str:
    found = part.image_url
    return found.url if isinstance(found, _Address) else found or ""


def _size(value: Any) -> int:
    return len(msgspec.json.encode(value))
