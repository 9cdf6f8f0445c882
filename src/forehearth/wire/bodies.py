"""Request bodies, read once: the members the gateway needs, typed; the rest only checked for being JSON.

Members that every backend of an operation types alike are typed here too, so that a wrong type is named before a
backend is troubled, whichever it is.
"""

from collections.abc import Mapping
from typing import Annotated, Any, cast

import msgspec

from forehearth.core.call import Call, Operation
from forehearth.core.errors import InvalidField
from forehearth.core.exchange import Head
from forehearth.core.misfit import UNREADABLE, unread
from forehearth.dialects.json_members import remove
from forehearth.documents.metadata import read_metadata
from forehearth.ports.surface import Entry

Tokens = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Choices = Annotated[int, msgspec.Meta(ge=1, le=128)]
_STORING = frozenset({"store", "metadata"})
"""Members that say that an answer is to be stored, and with what."""
_FORWARDED = (b"traceparent", b"tracestate", b"x-ms-client-request-id", b"foundry-features", b"aoai-evals")


class _Members(msgspec.Struct, kw_only=True):
    model: str | msgspec.UnsetType | None = msgspec.UNSET
    stream: bool | None = None


class _Message(msgspec.Struct):
    role: str


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Sampled(_Members, kw_only=True):
    max_tokens: Tokens | msgspec.UnsetType | None = msgspec.UNSET
    max_completion_tokens: Tokens | msgspec.UnsetType | None = msgspec.UNSET
    n: Choices | None = None
    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stream_options: _StreamOptions | msgspec.UnsetType | None = msgspec.UNSET


class _Chat(_Sampled, kw_only=True):
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    store: bool | None = None


class _Labels(msgspec.Struct):
    metadata: Any = None


class _Completions(_Sampled, kw_only=True):
    prompt: str | list[str | int | list[int]] | msgspec.UnsetType | None = msgspec.UNSET
    best_of: Choices | None = None


class _Embeddings(_Members, kw_only=True):
    input: str | list[str | int | list[int]]
    dimensions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    encoding_format: str | None = None


MEMBERS: Mapping[Operation, type[_Members]] = {
    Operation.CHAT: _Chat,
    Operation.COMPLETIONS: _Completions,
    Operation.EMBEDDINGS: _Embeddings,
}
"""What the gateway itself reads of each operation's body."""
_DECODERS: dict[Operation, msgspec.json.Decoder[_Members]] = {
    operation: msgspec.json.Decoder(members) for operation, members in MEMBERS.items()
}


def read(entry: Entry, body: bytes, *, surface: str, default: str | None = None, stores: bool = False) -> Call:
    """The call that `body` makes of `entry`; `default` is the name that a body without a model asks for.

    `stores` where the surface stores answers itself: hosts then are not asked to.

    Raises `MalformedBody` (with line and column) or `InvalidField` (naming the member).
    """
    asked = entry.asked
    operation = cast("Operation", asked.operation)  # a body is read of calls alone
    try:
        members = _DECODERS[operation].decode(body)
    except UNREADABLE as error:
        raise unread(body, error) from None
    model = None if members.model is msgspec.UNSET else members.model
    name = asked.deployment or model or default
    if not name:
        raise InvalidField("You must provide a model parameter: the name of a deployment or route.", param="model")
    head = entry.head
    keep = None
    if stores and isinstance(members, _Chat) and members.store:
        keep = read_metadata(msgspec.json.decode(body, type=_Labels).metadata)
        body = remove(body, _STORING)
    usage_asked: bool | None = None
    output: int | None = None
    output_members: tuple[str, ...] = ()
    choices = 0
    if isinstance(members, _Sampled):
        usage_asked, choices = _asked_usage(members), _choices(members)
        output, output_members = _asked_output(members)
    return Call(
        request_id=entry.trace.request_id,
        surface=surface,
        operation=operation,
        project=asked.project,
        name=name,
        body=body,
        model_in_body=model,
        has_model_member=members.model is not msgspec.UNSET,
        keep=keep,
        stream=bool(members.stream) and operation is not Operation.EMBEDDINGS,
        usage_asked=usage_asked,
        output=output,
        output_members=output_members,
        choices=choices,
        principal=entry.principal,
        forward=forwarded(head),
        headers=head.headers,
        started=entry.started,
        record=entry.record,
    )


def forwarded(head: Head) -> dict[bytes, bytes]:
    """The headers of a request that are handed on to backends."""
    return {name: head.headers[name] for name in _FORWARDED if name in head.headers}


def _asked_usage(members: _Sampled) -> bool | None:
    options = members.stream_options
    return None if options is msgspec.UNSET else options is not None and bool(options.include_usage)


def _asked_output(members: _Sampled) -> tuple[int | None, tuple[str, ...]]:
    """How long an answer may become, and the members that say so."""
    tokens, completion_tokens = members.max_tokens, members.max_completion_tokens
    if completion_tokens is msgspec.UNSET:
        return (None, ()) if tokens is msgspec.UNSET else (tokens, ("max_tokens",))
    if tokens is msgspec.UNSET:
        return completion_tokens, ("max_completion_tokens",)
    given = [value for value in (tokens, completion_tokens) if value is not None]
    return max(given, default=None), ("max_tokens", "max_completion_tokens")


def _choices(members: _Sampled) -> int:
    if isinstance(members, _Completions):
        return max(members.n or 1, members.best_of or 1) * _prompts(members.prompt)
    return members.n or 1


def _prompts(prompt: object) -> int:
    """How many prompts there are; a list of numbers is one, of tokens."""
    if not isinstance(prompt, list) or not prompt or isinstance(prompt[0], int):
        return 1
    return len(prompt)
