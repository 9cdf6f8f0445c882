"""Answers a request for embeddings: any of the input's four shapes, as numbers or in base64."""

import base64
import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, Protocol

import msgspec

from forehearth.core.errors import InvalidField
from forehearth.core.exchange import Reply
from forehearth.embedded.catalogue import ModelSource
from forehearth.embedded.embedding_engine import BATCH, EmbeddingEngine, Input
from forehearth.embedded.loading import State
from forehearth.embedded.members import Members, kind_of
from forehearth.embedded.replies import whole
from forehearth.embedded.turns import Turns

MOST_INPUTS: Final = 2_048
MOST_TOKENS: Final = 300_000
"""Of one request, all inputs together."""

_KNOWN: Final = frozenset({"dimensions", "encoding_format", "input", "input_type", "model", "user"})


class Engine(Protocol):
    """A loaded model: `embedding_engine.EmbeddingEngine` or one like it."""

    def tokens(self, inputs: Sequence[Input]) -> list[list[int]]:
        """The tokens of each input."""
        ...

    def embed(self, batch: Sequence[Sequence[int]]) -> Any:
        """The vectors of a batch, one row each."""
        ...


Load = Callable[[ModelSource, int], Engine]
"""Loads a model to run on so many threads. Raises `ModelUnusable`."""


class EmbeddingsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of an embedding model."""

    inputs: tuple[Input, ...]
    encoding: Literal["float", "base64"] = "float"


def read_embeddings(members: Members, dimensions: int | None) -> EmbeddingsRequest:
    """The request's body, read, for a model of `dimensions`. Raises our errors, each naming the member."""
    members.refuse_unknown(_KNOWN)
    members.text("user")
    members.choice("input_type", ("text", "query", "document"))
    wanted = members.whole("dimensions", 1, 2**31 - 1)
    if wanted is not None and wanted != dimensions:
        reason = f"can only be {dimensions} for this model: its vectors keep no meaning when they are cut"
        raise members.unsupported("dimensions", reason)
    encoding = members.text("encoding_format")
    if encoding not in {None, "float", "base64"}:
        raise members.unsupported("encoding_format", "can only be 'float' or 'base64' for embedded models")
    return EmbeddingsRequest(inputs=_inputs(members), encoding="base64" if encoding == "base64" else "float")


def _inputs(members: Members) -> tuple[Input, ...]:
    given = members.required("input", members.get("input"))
    if isinstance(given, str):
        return (_text(given, "input"),)
    if not isinstance(given, list) or not given:
        remedy = "must be a string, a list of strings, a list of tokens or a list of those, and not empty"
        raise InvalidField(f"Invalid value for input: it {remedy}.", param="input")
    if all(_is_token(item) for item in given):
        return (tuple(given),)
    if len(given) > MOST_INPUTS:
        raise members.wrong("input", f"may have at most {MOST_INPUTS} entries")
    return tuple(_input(f"input[{at}]", item) for at, item in enumerate(given))


def _input(path: str, item: object) -> Input:
    if isinstance(item, str):
        return _text(item, path)
    if isinstance(item, list) and item and all(_is_token(token) for token in item):
        return tuple(item)
    message = f"Invalid type for {path}: expected a string or a list of tokens, but got {kind_of(item)}."
    raise InvalidField(message, param=path)


def _text(text: str, path: str) -> str:
    if not text:
        raise InvalidField(f"Invalid value for {path}: it must not be an empty string.", param=path)
    return text


def _is_token(item: object) -> bool:
    return isinstance(item, int) and not isinstance(item, bool) and 0 <= item < 2**31


class EmbeddingModel:
    """One embedding model of the host: loaded when it is first asked, one request at a time."""

    def __init__(
        self, name: str, source: ModelSource, threads: int, most_waiting: int, load: Load = EmbeddingEngine
    ) -> None:
        self.name = name
        self.source = source
        self._turns = Turns(functools.partial(load, source, threads), most_waiting, name="embeddings")
        self.slots = self._turns.slots

    @property
    def state(self) -> State:
        """Whether it is in memory."""
        return self._turns.state

    async def ready(self) -> Engine:
        """The loaded engine, loading it where nobody has. Raises `ModelUnusable`."""
        return await self._turns.ready()

    async def answer(self, request: EmbeddingsRequest, model: str) -> Reply:
        """The reply to `request` for the model that the caller named. Raises our errors.

        A call that is cancelled stops after the batch at hand.
        """
        async with self._turns.turn() as turn:
            data, used = await turn.run(functools.partial(_compute, request))
        usage = {"prompt_tokens": used, "total_tokens": used}
        return whole({"object": "list", "data": data, "model": model, "usage": usage})

    async def close(self) -> None:
        """Wait for what runs, free the model."""
        await self._turns.close()


def _compute(request: EmbeddingsRequest, engine: Engine, stop: threading.Event) -> tuple[list[dict[str, Any]], int]:
    """The vectors in the input's order, and the tokens they took. Texts of like length share a batch."""
    tokens = engine.tokens(request.inputs)
    used = sum(len(one) for one in tokens)
    if used > MOST_TOKENS:
        message = f"All inputs together have {used} tokens, {MOST_TOKENS} are the limit of one request: send fewer."
        raise InvalidField(message, param="input")
    order = sorted(range(len(tokens)), key=lambda at: len(tokens[at]))
    vectors: dict[int, Any] = {}
    for start in range(0, len(order), BATCH):
        if stop.is_set():
            break
        chosen = order[start : start + BATCH]
        vectors |= zip(chosen, engine.embed([tokens[at] for at in chosen]), strict=True)
    as_text = request.encoding == "base64"
    return [
        {
            "object": "embedding",
            "index": at,
            "embedding": base64.b64encode(vectors[at].astype("<f4").tobytes()).decode()
            if as_text
            else vectors[at].tolist(),
        }
        for at in sorted(vectors)
    ], used
