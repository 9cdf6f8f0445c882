"""Replies in the OpenAI dialect: objects, streams of events, and errors with the status they deserve."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Final

import msgspec

from forehearth.core.errors import (
    BodyTooLarge,
    BodyTooSlow,
    DeploymentNotFound,
    Failed,
    ForehearthError,
    MethodNotAllowed,
    Misconfigured,
    Overloaded,
    PathNotFound,
    Refused,
    TooManyRequests,
)
from forehearth.core.exchange import Header, Reply

log = logging.getLogger("forehearth.embedded")

JSON: Final[Header] = (b"content-type", b"application/json")
EVENTS: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
)
DONE: Final = b"data: [DONE]\n\n"

_STATUSES: Final[tuple[tuple[type[ForehearthError], int], ...]] = (
    (PathNotFound, 404),
    (DeploymentNotFound, 404),
    (MethodNotAllowed, 405),
    (BodyTooLarge, 413),
    (BodyTooSlow, 408),
    (TooManyRequests, 429),
    (Refused, 400),
    (Overloaded, 503),
    (Failed, 502),
    (Misconfigured, 503),
)
"""The first that fits."""
_CODES: Final[Mapping[type[ForehearthError], str]] = {DeploymentNotFound: "model_not_found"}

_ENCODER: Final = msgspec.json.Encoder()


def encode(value: Any) -> bytes:
    """A value as compact JSON."""
    return _ENCODER.encode(value)


def whole(value: Any) -> Reply:
    """A reply of 200 with `value`."""
    return Reply(status=200, headers=(JSON,), body=encode(value))


def event(value: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + encode(value) + b"\n\n"


def error_of(error: ForehearthError) -> Reply:
    """The reply that tells of `error`."""
    headers: list[Header] = [JSON]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(max(1, round(error.retry_after))).encode()))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    return Reply(status=_status(error), headers=headers, body=encode(error_object(error)))


def error_object(error: ForehearthError) -> dict[str, Any]:
    """The error as the dialect puts it."""
    is_refused = isinstance(error, Refused)
    return {
        "error": {
            "message": error.message,
            "type": "invalid_request_error" if is_refused else "server_error",
            "param": error.param if isinstance(error, Refused) else None,
            "code": _CODES.get(type(error), error.code),
        }
    }


def unexpected(error: Exception) -> ForehearthError:
    """What callers are told of an error that nobody foresaw; the log has it all."""
    log.error("a call failed unexpectedly", exc_info=error)
    return Failed("The model host failed unexpectedly.")


def _status(error: ForehearthError) -> int:
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


class Stream(AsyncGenerator[bytes, None]):
    """A stream of events over `chunks`, ended by `[DONE]`; what goes wrong on the way is told as an event.

    `close` stops whatever makes the chunks: a generator that was never read from does not notice that it is closed.
    """

    def __init__(self, chunks: AsyncGenerator[Any, None], close: Callable[[], Awaitable[None]]) -> None:
        self._chunks = chunks
        self._close = close
        self._is_over = False

    async def asend(self, _: None) -> bytes:
        """The next event."""
        if self._is_over:
            raise StopAsyncIteration
        try:
            return event(await anext(self._chunks))
        except StopAsyncIteration:
            self._is_over = True
            return DONE
        except ForehearthError as error:
            self._chunks, told = _ended(), error
        except Exception as error:  # noqa: BLE001 - the edge of this process: the stream must end in order
            self._chunks, told = _ended(), unexpected(error)
        return event(error_object(told))

    async def athrow(
        self,
        typ: Any,
        val: BaseException | object = None,
        tb: TracebackType | None = None,  # noqa: ARG002 - as the protocol has it
    ) -> bytes:
        """As for any generator: it ends."""
        await self.aclose()
        raise typ if val is None else val if isinstance(val, BaseException) else typ(val)

    async def aclose(self) -> None:
        """Stop whatever makes the chunks."""
        self._is_over = True
        await self._chunks.aclose()
        await self._close()


async def _ended() -> AsyncGenerator[Any, None]:
    return
    yield
