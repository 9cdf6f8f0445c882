"""One run of the engine, seen from the event loop: pieces of an answer as they come, and an end at any time."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final, Literal, Protocol

import msgspec

from forehearth.core.errors import Broken, ContextTooLong, ForehearthError, InvalidField
from forehearth.core.usage import Usage

Operation = Literal["chat", "completions"]
Tell = Callable[[bytes], bool]
"""Takes one JSON object of the engine; true tells the engine to stop. Called in the engine's thread."""


class Engine(Protocol):
    """A loaded model. Its calls block, so they are made in threads."""

    def run(self, operation: Operation, body: bytes, tell: Tell) -> None:
        """Carry out a request in the engine's dialect, always streamed. Raises whatever the engine raises."""
        ...

    def close(self) -> None:
        """Free the model. No call may be running."""
        ...


class TokenLogprob(msgspec.Struct, frozen=True):
    """A token that could have been said, and how likely it was."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class SaidLogprob(TokenLogprob, frozen=True):
    """A token that was said, with the likeliest ones in its place."""

    top_logprobs: list[TokenLogprob] = []


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an answer. The first of a run has no text: it says that the engine has taken the prompt."""

    text: str = ""
    logprobs: tuple[SaidLogprob, ...] = ()
    finish: str | None = None
    """`stop` or `length`, at the end."""
    usage: Usage | None = None


class _Delta(msgspec.Struct):
    content: str | None = None


class _Logprobs(msgspec.Struct):
    content: list[SaidLogprob] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: str | None = None
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None


class _Cached(msgspec.Struct):
    cached_tokens: int = 0


class _Counted(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: _Cached = msgspec.field(default_factory=_Cached)


class _Timings(msgspec.Struct):
    cache_n: int = 0
    prompt_n: int = 0
    predicted_n: int = 0


class _Error(msgspec.Struct):
    message: str = ""
    type: str = ""
    n_prompt_tokens: int | None = None
    n_ctx: int | None = None


class _Event(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Counted | None = None
    timings: _Timings | None = None
    error: _Error | None = None


_DECODER: Final = msgspec.json.Decoder(_Event)
_END: Final = b""


class Generation:
    """Carries what the engine tells from its thread to the event loop, and a wish to stop the other way."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._told: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self._is_cancelled = False

    def cancel(self) -> None:
        """Have the engine stop at its next word: while it reads a prompt, after the batch at hand."""
        self._is_cancelled = True

    def run(self, engine: Engine, operation: Operation, body: bytes) -> None:
        """Run the engine to its end. Called in a thread; what goes wrong is told, not raised."""
        end: bytes | Exception = _END
        try:
            if not self._is_cancelled:
                engine.run(operation, body, self._tell)
        except Exception as error:  # noqa: BLE001 - the border to a native library: it raises what it likes
            end = error
        self._put(end)

    def _tell(self, event: bytes) -> bool:
        if not self._is_cancelled:
            self._put(event)
        return self._is_cancelled

    def _put(self, item: bytes | Exception) -> None:
        try:
            self._loop.call_soon_threadsafe(self._told.put_nowait, item)
        except RuntimeError:  # the loop is closed: nobody listens any more
            self._is_cancelled = True

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """The answer, piece by piece. Raises the engine's error in our words."""
        while (told := await self._told.get()) != _END:
            if isinstance(told, Exception):
                raise _raised(told)
            piece = _read(told)
            yield piece
        if self._is_cancelled:
            raise Broken("The model was told to stop.")


def _read(told: bytes) -> Piece:
    event = _DECODER.decode(told)
    if event.error is not None:
        raise _refused(event.error)
    choice = event.choices[0] if event.choices else _Choice()
    text = choice.text if choice.delta is None else choice.delta.content
    said = choice.logprobs.content if choice.logprobs is not None else None
    return Piece(text=text or "", logprobs=tuple(said or ()), finish=choice.finish_reason, usage=_usage(event))


def _usage(event: _Event) -> Usage | None:
    """What was used so far: the engine's count at the end, its timings before."""
    if (counted := event.usage) is not None:
        cached = counted.prompt_tokens_details.cached_tokens
        return Usage(prompt=counted.prompt_tokens, completion=counted.completion_tokens, cached=cached)
    if (timings := event.timings) is not None:
        prompt = timings.cache_n + timings.prompt_n
        return Usage(prompt=prompt, completion=timings.predicted_n, cached=timings.cache_n)
    return None


def _refused(error: _Error) -> ForehearthError:
    if error.type == "exceed_context_size_error" or (error.n_ctx and error.n_prompt_tokens):
        message = (
            f"This model's maximum context length is {error.n_ctx} tokens. However, your prompt has "
            f"{error.n_prompt_tokens} tokens. Please shorten it."
        )
        return ContextTooLong(message)
    if error.type == "invalid_request_error":
        return InvalidField(f"The engine refused the request: {_one_line(error.message)}.")
    return Broken("The engine failed while it answered.")


def _raised(error: Exception) -> ForehearthError:
    """What the engine raised, told by whose fault it is.

    It raises `ValueError` for a request it cannot read, and a plain error where the model's own template for
    conversations does not take the messages; anything else is its own fault.
    """
    said = str(error)
    is_refusal = isinstance(error, ValueError) and not isinstance(error, msgspec.DecodeError)
    if is_refusal or any(word in said.lower() for word in ("template", "jinja", "roles must")):
        return InvalidField(f"The engine refused the request: {_one_line(said)}.")
    return Broken("The engine failed while it answered.")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200].rstrip(".")
