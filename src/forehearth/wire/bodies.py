"""Request bodies, read once: the members the gateway needs, typed; the rest only checked for being JSON.

Members that every backend of an operation types alike are typed here too, so that a wrong type is named before a
backend is troubled, whichever it is.
"""

from typing import Annotated, TypedDict, cast

import msgspec

from forehearth.core.call import Call, Operation
from forehearth.core.errors import InvalidField, MalformedBody
from forehearth.core.misfit import malformed, misfit
from forehearth.ports.surface import Entry

Tokens = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Choices = Annotated[int, msgspec.Meta(ge=1, le=128)]
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


class _Completions(_Sampled, kw_only=True):
    prompt: str | list[str | int | list[int]] | msgspec.UnsetType | None = msgspec.UNSET
    best_of: Choices | None = None


class _Embeddings(_Members, kw_only=True):
    input: str | list[str | int | list[int]]
    dimensions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    encoding_format: str | None = None


_DECODERS: dict[Operation, msgspec.json.Decoder[_Members]] = {
    Operation.CHAT: msgspec.json.Decoder(_Chat),
    Operation.COMPLETIONS: msgspec.json.Decoder(_Completions),
    Operation.EMBEDDINGS: msgspec.json.Decoder(_Embeddings),
}


def read(entry: Entry, body: bytes, *, surface: str, default: str | None = None) -> Call:
    """The call that `body` makes of `entry`; `default` is the name that a body without a model asks for.

    Raises `MalformedBody` (with line and column) or `InvalidField` (naming the member).
    """
    asked = entry.asked
    operation = cast("Operation", asked.operation)  # a body is read of calls alone
    try:
        members = _DECODERS[operation].decode(body)
    except msgspec.ValidationError as error:
        raise misfit(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBody(malformed(body, str(error))) from None
    except RecursionError:
        raise MalformedBody("The body's JSON is nested too deeply to be read.") from None
    model = None if members.model is msgspec.UNSET else members.model
    name = asked.deployment or model or default
    if not name:
        raise InvalidField("You must provide a model parameter: the name of a deployment or route.", param="model")
    head = entry.head
    return Call(
        request_id=entry.trace.request_id,
        surface=surface,
        operation=operation,
        project=asked.project,
        name=name,
        body=body,
        model_in_body=model,
        has_model_member=members.model is not msgspec.UNSET,
        stream=bool(members.stream) and operation is not Operation.EMBEDDINGS,
        **_asked_output(members),
        principal=entry.principal,
        forward={name: head.headers[name] for name in _FORWARDED if name in head.headers},
        headers=head.headers,
        started=entry.started,
        record=entry.record,
    )


class _Output(TypedDict, total=False):
    usage_asked: bool | None
    output: int | None
    output_members: tuple[str, ...]
    choices: int


def _asked_output(members: _Members) -> _Output:
    """How long the answer may become, and how many of them there are."""
    if not isinstance(members, _Sampled):
        return {"choices": 0}
    options, choices = members.stream_options, members.n or 1
    if isinstance(members, _Completions):
        choices = max(choices, members.best_of or 1) * _prompts(members.prompt)
    asked: _Output = {"choices": choices}
    if options is not msgspec.UNSET:
        asked["usage_asked"] = options is not None and bool(options.include_usage)
    if members.max_tokens is members.max_completion_tokens is msgspec.UNSET:
        return asked
    there = [
        (name, value)
        for name, value in (
            ("max_tokens", members.max_tokens),
            ("max_completion_tokens", members.max_completion_tokens),
        )
        if value is not msgspec.UNSET
    ]
    asked["output"] = max((value for _, value in there if value is not None), default=None)
    asked["output_members"] = tuple(name for name, _ in there)
    return asked


def _prompts(prompt: object) -> int:
    """How many prompts there are; a list of numbers is one, of tokens."""
    if not isinstance(prompt, list) or not prompt or isinstance(prompt[0], int):
        return 1
    return len(prompt)
