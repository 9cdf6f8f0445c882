"""Request bodies, read once: the members the gateway needs, typed; the rest only checked for being JSON."""

from typing import cast

import msgspec

from forehearth.core.call import Call, Operation
from forehearth.core.errors import InvalidField
from forehearth.core.exchange import Head
from forehearth.core.misfit import UNREADABLE, unread
from forehearth.dialects.json_members import remove
from forehearth.documents.metadata import read_metadata
from forehearth.ports.surface import Entry
from forehearth.wire.body_members import DECODERS, Chat, Completions, Labels, Sampled

_STORING = frozenset({"store", "metadata"})
"""Members that say that an answer is to be stored, and with what."""
_FORWARDED = (b"traceparent", b"tracestate", b"x-ms-client-request-id", b"foundry-features", b"aoai-evals")


def read(entry: Entry, body: bytes, *, surface: str, default: str | None = None, stores: bool = False) -> Call:
    """The call that `body` makes of `entry`; `default` is the name that a body without a model asks for.

    `stores` where the surface stores answers itself: hosts then are not asked to.

    Raises `MalformedBody` (with line and column) or `InvalidField` (naming the member).
    """
    asked = entry.asked
    operation = cast("Operation", asked.operation)  # a body is read of calls alone
    try:
        members = DECODERS[operation].decode(body)
    except UNREADABLE as error:
        raise unread(body, error) from None
    model = None if members.model is msgspec.UNSET else members.model
    name = asked.deployment or model or default
    if not name:
        raise InvalidField("You must provide a model parameter: the name of a deployment or route.", param="model")
    head = entry.head
    keep = None
    if stores and isinstance(members, Chat) and members.store:
        keep = read_metadata(msgspec.json.decode(body, type=Labels).metadata)
        body = remove(body, _STORING)
    usage_asked: bool | None = None
    output: int | None = None
    output_members: tuple[str, ...] = ()
    choices = 0
    if isinstance(members, Sampled):
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


def _asked_usage(members: Sampled) -> bool | None:
    options = members.stream_options
    return None if options is msgspec.UNSET else options is not None and bool(options.include_usage)


def _asked_output(members: Sampled) -> tuple[int | None, tuple[str, ...]]:
    """How long an answer may become, and the members that say so."""
    tokens, completion_tokens = members.max_tokens, members.max_completion_tokens
    if completion_tokens is msgspec.UNSET:
        return (None, ()) if tokens is msgspec.UNSET else (tokens, ("max_tokens",))
    if tokens is msgspec.UNSET:
        return completion_tokens, ("max_completion_tokens",)
    given = [value for value in (tokens, completion_tokens) if value is not None]
    return max(given, default=None), ("max_tokens", "max_completion_tokens")


def _choices(members: Sampled) -> int:
    if isinstance(members, Completions):
        return max(members.n or 1, members.best_of or 1) * _prompts(members.prompt)
    return members.n or 1


def _prompts(prompt: object) -> int:
    """How many prompts there are; a list of numbers is one, of tokens."""
    if not isinstance(prompt, list) or not prompt or isinstance(prompt[0], int):
        return 1
    return len(prompt)
