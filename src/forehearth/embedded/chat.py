"""Answers a chat request: runs the model once a choice, and puts what it says in the dialect's objects."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Protocol

import msgspec

from forehearth.core.errors import Broken
from forehearth.core.exchange import Reply
from forehearth.core.usage import Usage
from forehearth.embedded.answers import Origin, Said, chained, silenced, usage_object
from forehearth.embedded.chat_request import ChatRequest
from forehearth.embedded.choices import Choices, add_usage
from forehearth.embedded.generation import Piece, SaidLogprob
from forehearth.embedded.gguf import GgufHead
from forehearth.embedded.replies import EVENTS, Stream, encode, whole
from forehearth.embedded.stops import StopScanner
from forehearth.embedded.text_model import TextModel
from forehearth.embedded.tools import CallPart, CallReader, Tools

NewId = Callable[[str], str]
"""Makes an id that starts with the prefix given."""


async def answer_chat(model: TextModel, request: ChatRequest, origin: Origin, new_id: NewId) -> Reply:
    """The reply to `request`; a streamed one as soon as the engine has taken the prompt. Raises our errors."""
    model.slots.refuse_when_full()
    head = await model.ready()
    choices = Choices(lambda index: _choice(model, head, request, index), request.choices, model.slots.size)
    parts = choices.parts()
    try:
        parts = chained(await anext(parts), parts)
        if not request.streaming.wanted:
            return whole(await _completion(request, origin, new_id, parts))
    except BaseException:
        await choices.aclose()
        raise
    return Reply(status=200, headers=EVENTS, stream=Stream(_chunks(request, origin, new_id, parts), choices.aclose))


def _engine_body(model: TextModel, head: GgufHead, request: ChatRequest, index: int) -> bytes:
    body = request.sampling.engine(model.source, index)
    body["messages"] = request.messages
    if request.grammar is not None:
        body["grammar"] = request.grammar
        body["logit_bias"] = silenced(body["logit_bias"], head)
    if request.logprobs is not None:
        body["logprobs"], body["top_logprobs"] = True, request.logprobs
    if request.tools is not None:
        body["stop"], body["timings_per_token"] = [], bool(request.sampling.stop)
    return encode(body)


async def _choice(model: TextModel, head: GgufHead, request: ChatRequest, index: int) -> AsyncGenerator[Said, None]:
    """What one choice says. Stop sequences end an answer, never the arguments of a call."""
    teller: _Teller = _TextTeller(is_json=request.grammar is not None)
    if request.tools is not None:
        teller = _CallTeller(request.tools, request.sampling.stop)
    finish, usage, is_first = None, None, True
    async with aclosing(model.generate("chat", _engine_body(model, head, request, index))) as pieces:
        async for piece in pieces:
            finish, usage = piece.finish or finish, piece.usage or usage
            said = teller.said(piece)
            if said is not None or is_first:
                yield said or Said()
            is_first = False
            if teller.is_stopped:
                finish = "stop"
                break
    if finish is None or usage is None:
        raise Broken("The engine ended without a whole answer.")
    rest = teller.rest(complete=finish == "stop")
    if rest is not None:
        yield rest
    yield Said(finish=teller.finish(finish), usage=usage)


class _Teller(Protocol):
    """Makes of what the model writes what is said."""

    @property
    def is_stopped(self) -> bool:
        """Whether a stop sequence was found."""
        ...

    def said(self, piece: Piece) -> Said | None:
        """What a piece adds; None when nothing, for now."""
        ...

    def rest(self, *, complete: bool) -> Said | None:
        """What was held back. Raises `Broken` for an answer that is `complete` and not what the grammar holds it to."""
        ...

    def finish(self, finish: str) -> str:
        """Why the choice ended, in the dialect's words."""
        ...


class _TextTeller:
    """Takes what the model writes as it is."""

    is_stopped = False

    def __init__(self, *, is_json: bool) -> None:
        self._texts: list[str] | None = [] if is_json else None

    def said(self, piece: Piece) -> Said | None:
        if self._texts is not None:
            self._texts.append(piece.text)
        return Said(text=piece.text, logprobs=piece.logprobs) if piece.text or piece.logprobs else None

    def rest(self, *, complete: bool) -> Said | None:
        if complete and self._texts is not None:
            _check_json("".join(self._texts))
        return None

    def finish(self, finish: str) -> str:
        return finish


class _CallTeller:
    """Tells answers and calls of tools apart."""

    def __init__(self, tools: Tools, stops: Sequence[str]) -> None:
        self._reader = CallReader(tools)
        self._scanner = StopScanner(stops)
        self._early: tuple[SaidLogprob, ...] = ()
        self._arguments: list[str] = []

    @property
    def is_stopped(self) -> bool:
        return self._scanner.is_found

    def said(self, piece: Piece) -> Said | None:
        told = self._reader.feed(piece.text)
        if isinstance(told, CallPart):
            self._arguments.append(told.arguments)
            return Said(call=told)
        logprobs, self._early = self._early + piece.logprobs, ()
        if told is None or self._reader.kind != "answer":
            self._early = logprobs
            return None
        text = self._scanner.feed(told)
        return Said(text=text, logprobs=logprobs) if text or logprobs else None

    def rest(self, *, complete: bool) -> Said | None:
        if self._reader.kind == "call":
            part = self._reader.finish(complete=complete)
            if complete:
                _check_json("".join([*self._arguments, part.arguments if part is not None else ""]))
            return None if part is None else Said(call=part)
        text = self._scanner.finish()
        return Said(text=text) if text else None

    def finish(self, finish: str) -> str:
        return "tool_calls" if finish == "stop" and self._reader.kind == "call" else finish


def _check_json(text: str) -> None:
    """Raise `Broken` unless `text` is whole: an engine may know ends of its own that no grammar keeps it from."""
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise Broken("The engine broke off an answer that had to be JSON.") from error


class _Folded:
    """One choice of an answer that is not streamed."""

    def __init__(self, index: int, call_id: str) -> None:
        self._index = index
        self._call_id = call_id
        self._texts: list[str] = []
        self._name: str | None = None
        self._arguments: list[str] = []
        self._logprobs: list[SaidLogprob] = []
        self._finish: str | None = None

    def add(self, said: Said) -> None:
        self._texts.append(said.text)
        self._logprobs += said.logprobs
        self._finish = said.finish or self._finish
        if said.call is not None:
            self._name = said.call.name or self._name
            self._arguments.append(said.call.arguments)

    def object(self, *, with_logprobs: bool) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(self._texts),
            "refusal": None,
            "annotations": [],
        }
        if self._name is not None:
            function = {"name": self._name, "arguments": "".join(self._arguments)}
            message["content"] = None
            message["tool_calls"] = [{"id": self._call_id, "type": "function", "function": function}]
        told = _logprobs(self._logprobs) if with_logprobs and self._name is None else None
        return {"index": self._index, "message": message, "logprobs": told, "finish_reason": self._finish}


async def _completion(
    request: ChatRequest, origin: Origin, new_id: NewId, parts: AsyncGenerator[tuple[int, Said], None]
) -> dict[str, Any]:
    folded = [_Folded(index, new_id("call_")) for index in range(request.choices)]
    usage: Usage | None = None
    async with aclosing(parts):
        async for index, said in parts:
            folded[index].add(said)
            usage = usage if said.usage is None else add_usage(usage, said.usage)
    return {
        **origin.object("chat.completion"),
        "choices": [choice.object(with_logprobs=request.logprobs is not None) for choice in folded],
        "usage": None if usage is None else usage_object(usage),
        **_tier(request),
    }


async def _chunks(
    request: ChatRequest, origin: Origin, new_id: NewId, parts: AsyncGenerator[tuple[int, Said], None]
) -> AsyncGenerator[dict[str, Any], None]:
    base = {**origin.object("chat.completion.chunk"), **_tier(request)}
    no_usage = {"usage": None} if request.streaming.include_usage else {}
    begun: set[int] = set()
    usage: Usage | None = None

    def chunk(index: int, delta: dict[str, Any], said: Said) -> dict[str, Any]:
        told = _logprobs(said.logprobs) if said.logprobs else None
        choice = {"index": index, "delta": delta, "logprobs": told, "finish_reason": said.finish}
        return {**base, "choices": [choice], **no_usage}

    async with aclosing(parts):
        async for index, said in parts:
            if said == _NOTHING:
                continue
            if index not in begun:
                begun.add(index)
                content = None if said.call is not None else ""
                yield chunk(index, {"role": "assistant", "content": content, "refusal": None}, _NOTHING)
            usage = usage if said.usage is None else add_usage(usage, said.usage)
            yield chunk(index, _delta(said, new_id), said)
    if request.streaming.include_usage and usage is not None:
        yield {**base, "choices": [], "usage": usage_object(usage)}


_NOTHING = Said()


def _delta(said: Said, new_id: NewId) -> dict[str, Any]:
    if said.finish is not None:
        return {}
    if said.call is None:
        return {"content": said.text}
    if said.call.name is None:
        return {"tool_calls": [{"index": 0, "function": {"arguments": said.call.arguments}}]}
    function = {"name": said.call.name, "arguments": said.call.arguments}
    return {"tool_calls": [{"index": 0, "id": new_id("call_"), "type": "function", "function": function}]}


def _logprobs(said: Any) -> dict[str, Any]:
    return {"content": msgspec.to_builtins(list(said)), "refusal": None}


def _tier(request: ChatRequest) -> dict[str, Any]:
    """The tier is told where one was asked for; there is but one here."""
    return {} if request.service_tier is None else {"service_tier": "default"}
