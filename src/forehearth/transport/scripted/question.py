"""What a request asks a scripted backend, read from its path and body as strictly as a real host reads it."""

import hashlib
from typing import Annotated, Any

import msgspec

from forehearth.core.call import Operation
from forehearth.core.errors import InvalidField, MalformedBody, PathNotFound
from forehearth.providers.scripted import LARGEST_VECTOR
from forehearth.transport.scripted import tokens

_OPERATIONS = {
    b"/v1/chat/completions": Operation.CHAT,
    b"/v1/completions": Operation.COMPLETIONS,
    b"/v1/embeddings": Operation.EMBEDDINGS,
}
_MEMBERS = {Operation.CHAT: "messages", Operation.COMPLETIONS: "prompt", Operation.EMBEDDINGS: "input"}
_MOST_INPUTS = 2_048
_MOST_CHOICES = 128
_MOST_NUMBERS = 4_194_304
"""In all vectors of one answer: enough for 2,048 of 1,536 dimensions, and a bound on time and memory."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked. `texts` are the last user message, or the prompts, or the inputs to embed."""

    operation: Operation
    model: str
    texts: tuple[str, ...]
    prompt_tokens: int
    digest: bytes
    """Equal for the same question: operation, model and messages (prompt, input), whatever else the body says."""
    stream: bool = False
    include_usage: bool = False
    choices: int = 1
    """Answers to each of `texts`."""
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    dimensions: int
    """Length of a vector."""
    base64: bool = False

    @property
    def text(self) -> str:
        """What a rule's conditions look at."""
        return "\n".join(self.texts)


class _Part(msgspec.Struct):
    text: str | None = None


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text or "" for part in self.content)
        return self.content or ""


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


_Texts = str | list[str | int | list[int]]
_Limit = Annotated[int, msgspec.Meta(ge=0)]


class _Body(msgspec.Struct):
    model: str | None = None
    messages: msgspec.Raw = msgspec.Raw()
    prompt: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=_MOST_CHOICES)] | None = None
    stop: str | list[str] | None = None
    max_tokens: _Limit | None = None
    max_completion_tokens: _Limit | None = None
    dimensions: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_VECTOR)] | None = None
    encoding_format: Annotated[str, msgspec.Meta(pattern="^(float|base64)$")] | None = None


def read(target: bytes, body: bytes, dimensions: int) -> Question:
    """The question in a request; `dimensions` is the length of vectors for those that name none.

    Raises `PathNotFound`, `MalformedBody` or `InvalidField`.
    """
    operation = _OPERATIONS.get(target.partition(b"?")[0])
    if operation is None:
        raise PathNotFound("Resource not found")
    asked = _decode(body, _Body)
    model = asked.model or ""
    member = _MEMBERS[operation]
    raw = getattr(asked, member)
    if operation is Operation.CHAT:
        texts, size = _messages(_decode(raw, list[_Message], member))
    else:
        texts, size = _inputs(_decode(raw, _Texts, member), member)
    length = asked.dimensions or dimensions
    if operation is Operation.EMBEDDINGS and length * len(texts) > _MOST_NUMBERS:
        raise InvalidField(f"Invalid 'input': more than {_MOST_NUMBERS} numbers in all vectors.", param="input")
    limits = [limit for limit in (asked.max_tokens, asked.max_completion_tokens) if limit is not None]
    stop = [asked.stop] if isinstance(asked.stop, str) else asked.stop or ()
    return Question(
        operation=operation,
        model=model,
        texts=texts,
        prompt_tokens=size,
        digest=hashlib.sha256(b"\0".join((operation.encode(), model.encode(), bytes(raw)))).digest(),
        stream=bool(asked.stream) and operation is not Operation.EMBEDDINGS,
        include_usage=bool(asked.stream_options and asked.stream_options.include_usage),
        choices=asked.n or 1,
        stop=tuple(text for text in stop if text),
        max_tokens=min(limits) if limits else None,
        dimensions=length,
        base64=asked.encoding_format == "base64",
    )


def _decode(data: bytes | msgspec.Raw, type_: Any, param: str | None = None) -> Any:
    if param is not None and not bytes(data):
        raise InvalidField(f"Missing required parameter: '{param}'.", param=param)
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError as error:
        raise InvalidField(f"Invalid value: {error}", param=param) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedBody("We could not parse the JSON body of your request.") from error


def _messages(messages: list[_Message]) -> tuple[tuple[str, ...], int]:
    if not messages:
        raise InvalidField("Invalid 'messages': empty array.", param="messages")
    last = next((message.text for message in reversed(messages) if message.role == "user"), "")
    return (last,), sum(tokens.count(message.text) for message in messages)


def _inputs(given: str | list[str | int | list[int]], param: str) -> tuple[tuple[str, ...], int]:
    """Texts and their tokens. Token arrays, of any tokenizer, count by their length and read as their numbers."""
    if isinstance(given, str):
        return (given,), tokens.count(given)
    if given and all(isinstance(item, int) for item in given):
        return (" ".join(map(str, given)),), len(given)
    if not given or len(given) > _MOST_INPUTS or any(isinstance(item, int) for item in given):
        raise InvalidField(f"Invalid '{param}': 1 to {_MOST_INPUTS} texts or token arrays.", param=param)
    texts: list[str] = []
    size = 0
    for item in given:
        if isinstance(item, list):
            texts.append(" ".join(map(str, item)))
            size += len(item)
        else:
            texts.append(str(item))
            size += tokens.count(texts[-1])
    return tuple(texts), size
