"""Answers a request for completions: the older shape, text in and text out."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final

import msgspec

from forehearth.core.errors import Broken, InvalidField
from forehearth.core.exchange import Reply
from forehearth.core.usage import Usage
from forehearth.embedded.answers import Origin, Said, chained, usage_object
from forehearth.embedded.choices import Choices, add_usage
from forehearth.embedded.generation import SaidLogprob
from forehearth.embedded.members import Members, kind_of
from forehearth.embedded.replies import EVENTS, Stream, encode, whole
from forehearth.embedded.sampling import (
    MOST_CHOICES,
    SAMPLING_MEMBERS,
    Sampling,
    Streaming,
    read_choices,
    read_sampling,
    read_streaming,
)
from forehearth.embedded.text_model import TextModel

DEFAULT_MAX_TOKENS: Final = 16
MOST_LOGPROBS: Final = 5
_KNOWN: Final = SAMPLING_MEMBERS | {"best_of", "echo", "logprobs", "model", "prompt", "suffix", "user"}

Prompt = str | tuple[int, ...]


class CompletionsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: `choices` answers to each of `prompts`."""

    prompts: tuple[Prompt, ...]
    sampling: Sampling
    choices: int = 1
    streaming: Streaming = Streaming()
    logprobs: int | None = None
    echo: bool = False


def read_completions(members: Members) -> CompletionsRequest:
    """The request's body, read. Raises `InvalidField`, `NotSupported` and `UnknownField`, each naming the member."""
    members.refuse_unknown(_KNOWN)
    members.text("user")
    choices, echo = read_choices(members), bool(members.flag("echo"))
    best_of = members.whole("best_of", 1, 20)
    if best_of is not None and best_of != choices:
        raise members.unsupported("best_of", "is not supported by embedded models unless it equals n")
    if members.text("suffix"):
        raise members.unsupported("suffix", "is not supported by embedded models: leave it out")
    prompts = _prompts(members)
    if len(prompts) * choices > MOST_CHOICES:
        raise members.wrong("n", f"may not exceed {MOST_CHOICES} answers over all prompts")
    logprobs = members.whole("logprobs", 0, MOST_LOGPROBS)
    if echo and (logprobs is not None or not all(isinstance(prompt, str) for prompt in prompts)):
        raise members.unsupported("echo", "is supported by embedded models for text prompts without logprobs only")
    return CompletionsRequest(
        prompts=prompts,
        sampling=read_sampling(members, default_max_tokens=DEFAULT_MAX_TOKENS),
        choices=choices,
        streaming=read_streaming(members),
        logprobs=logprobs,
        echo=echo,
    )


def _prompts(members: Members) -> tuple[Prompt, ...]:
    given = members.required("prompt", members.get("prompt"))
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, list) or not given:
        raise InvalidField("Invalid value for prompt: it must be a string or a list that is not empty.", param="prompt")
    if all(_is_token(item) for item in given):
        return (tuple(given),)
    return tuple(_prompt(at, item) for at, item in enumerate(given))


def _prompt(at: int, item: object) -> Prompt:
    if isinstance(item, str):
        return item
    if isinstance(item, list) and item and all(_is_token(token) for token in item):
        return tuple(item)
    message = f"Invalid type for prompt[{at}]: expected a string or a list of tokens, but got {kind_of(item)}."
    raise InvalidField(message, param=f"prompt[{at}]")


def _is_token(item: object) -> bool:
    return isinstance(item, int) and not isinstance(item, bool) and 0 <= item < 2**31


async def answer_completions(model: TextModel, request: CompletionsRequest, origin: Origin) -> Reply:
    """The reply to `request`; a streamed one as soon as the engine has taken a prompt. Raises our errors."""
    model.slots.refuse_when_full()
    await model.ready()
    count = len(request.prompts) * request.choices
    choices = Choices(lambda index: _choice(model, request, index), count, model.slots.size)
    parts = choices.parts()
    try:
        parts = chained(await anext(parts), parts)
        if not request.streaming.wanted:
            return whole(await _completion(request, origin, parts, count))
    except BaseException:
        await choices.aclose()
        raise
    return Reply(status=200, headers=EVENTS, stream=Stream(_chunks(request, origin, parts), choices.aclose))


def _engine_body(model: TextModel, request: CompletionsRequest, index: int) -> bytes:
    body = request.sampling.engine(model.source, index % request.choices)
    body["prompt"] = request.prompts[index // request.choices]
    if request.logprobs is not None:
        body["n_probs"] = max(1, request.logprobs)
    return encode(body)


async def _choice(model: TextModel, request: CompletionsRequest, index: int) -> AsyncGenerator[Said, None]:
    finish, usage = None, None
    prompt = request.prompts[index // request.choices]
    yield_first = prompt if request.echo and isinstance(prompt, str) else ""
    async with aclosing(model.generate("completions", _engine_body(model, request, index))) as pieces:
        is_first = True
        async for piece in pieces:
            finish, usage = piece.finish or finish, piece.usage or usage
            if is_first or piece.text or piece.logprobs:
                yield Said(text=(yield_first if is_first else "") + piece.text, logprobs=piece.logprobs)
            is_first = False
    if finish is None or usage is None:
        raise Broken("The engine ended without a whole answer.")
    yield Said(finish=finish, usage=usage)


class _Total:
    """What all prompts used together: a prompt counts once, however many answers it has."""

    def __init__(self, request: CompletionsRequest) -> None:
        self._choices = request.choices
        self._by_prompt: dict[int, Usage] = {}

    def add(self, index: int, usage: Usage) -> None:
        prompt = index // self._choices
        self._by_prompt[prompt] = add_usage(self._by_prompt.get(prompt), usage)

    def object(self) -> dict[str, Any]:
        used = self._by_prompt.values()
        return usage_object(
            Usage(
                prompt=sum(usage.prompt for usage in used),
                completion=sum(usage.completion for usage in used),
                cached=sum(usage.cached for usage in used),
            )
        )


async def _completion(
    request: CompletionsRequest, origin: Origin, parts: AsyncGenerator[tuple[int, Said], None], count: int
) -> dict[str, Any]:
    texts: list[list[str]] = [[] for _ in range(count)]
    logprobs: list[list[SaidLogprob]] = [[] for _ in range(count)]
    finishes: list[str | None] = [None] * count
    total = _Total(request)
    async with aclosing(parts):
        async for index, said in parts:
            texts[index].append(said.text)
            logprobs[index] += said.logprobs
            finishes[index] = said.finish or finishes[index]
            if said.usage is not None:
                total.add(index, said.usage)
    choices = [
        {
            "text": "".join(texts[index]),
            "index": index,
            "logprobs": _logprobs(logprobs[index], request, 0) if request.logprobs is not None else None,
            "finish_reason": finishes[index],
        }
        for index in range(count)
    ]
    return {**origin.object("text_completion"), "choices": choices, "usage": total.object()}


async def _chunks(
    request: CompletionsRequest, origin: Origin, parts: AsyncGenerator[tuple[int, Said], None]
) -> AsyncGenerator[dict[str, Any], None]:
    base = origin.object("text_completion")
    no_usage = {"usage": None} if request.streaming.include_usage else {}
    total = _Total(request)
    offsets: dict[int, int] = {}
    async with aclosing(parts):
        async for index, said in parts:
            if said.usage is not None:
                total.add(index, said.usage)
            if not said.text and said.finish is None:
                continue
            told = _logprobs(said.logprobs, request, offsets.get(index, 0)) if said.logprobs else None
            offsets[index] = offsets.get(index, 0) + len(said.text)
            choice = {"text": said.text, "index": index, "logprobs": told, "finish_reason": said.finish}
            yield {**base, "choices": [choice], **no_usage}
    if request.streaming.include_usage:
        yield {**base, "choices": [], "usage": total.object()}


def _logprobs(said: Sequence[SaidLogprob], request: CompletionsRequest, offset: int) -> dict[str, Any]:
    """The older shape of log probabilities: four lists, one entry a token."""
    offsets = []
    for token in said:
        offsets.append(offset)
        offset += len(token.token)
    top = (
        [{likely.token: likely.logprob for likely in token.top_logprobs} for token in said]
        if request.logprobs
        else None
    )
    return {
        "tokens": [token.token for token in said],
        "token_logprobs": [token.logprob for token in said],
        "top_logprobs": top,
        "text_offset": offsets,
    }
