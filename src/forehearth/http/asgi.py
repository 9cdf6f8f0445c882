"""The entrance as a plain ASGI application: the same calls without our protocol class, one setting away.

What ASGI does not show cannot be guarded here: faults of the head that uvicorn's parser lets pass, timers of the head,
a half-close (an end of stream is a departure), how fast a client reads, the number of connections. The rest is the
same: who is let in, bodies bounded in bytes and time, or answered while they arrive, a call cancelled when its client
leaves, a stream closed however it ends.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from forehearth.core.errors import Refused, UnsupportedMediaType
from forehearth.core.exchange import Reply
from forehearth.core.settings import InboundLimits
from forehearth.http.body_reading import too_large, too_late
from forehearth.http.faults import Malformed, internal_error
from forehearth.http.head import Peer, Request, tidy, understand
from forehearth.http.incoming import Incoming, Pace
from forehearth.http.log import report
from forehearth.http.replies import has_body
from forehearth.ports.entrance import Admission, Entrance, Undecided

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


def contained(app: Application) -> Application:
    """`app`, with what it raises logged without a traceback and answered in JSON, where there is an answer to give."""

    async def contain(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await app(scope, receive, watch)
        except Exception as error:  # noqa: BLE001 - a border: what went wrong becomes a reply
            report(error, "the application failed on a request")
            if begun:
                raise Incomplete from None
            await _send(send, internal_error(), head_only=scope["method"] == "HEAD")

    return contain


class Incomplete(Exception):
    """The answer had begun when the application failed, and must not end as if it were whole. The log has the cause."""


class EntranceApplication:
    """An ASGI application: an entrance, and behind it another application for what is not the entrance's."""

    def __init__(self, entrance: Entrance, app: Application, limits: InboundLimits) -> None:
        self._entrance = entrance
        self._app = app
        self._limits = limits

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        head_only = scope["method"] == "HEAD"
        try:
            request = _request(scope)
        except Malformed as fault:
            await _send(send, fault.reply(), head_only=head_only, close=True)
            return
        outcome = self._entrance.accept(request.head)
        if isinstance(outcome, Undecided):
            outcome = await outcome.decision
        if outcome is None:
            await self._app(scope, receive, send)
        elif isinstance(outcome, Reply):
            await _send(send, outcome, head_only=head_only, close=bool(request.length))
        else:
            await self._answer(request, outcome, receive, send)

    async def _answer(self, request: Request, admission: Admission, receive: Receive, send: Send) -> None:
        head_only = request.head.method == b"HEAD"
        try:
            _require_plain(request)
            if request.length > admission.max_body:
                raise too_large(admission.max_body)
            streamed = admission.streamed
            body = b"" if streamed else await self._body(admission.max_body, receive)
        except Refused as error:
            await _send(send, admission.refuse(error), head_only=head_only, close=True)
            return
        except _Left:
            return
        if streamed is not None:
            room = asyncio.Event()
            room.set()
            incoming = Incoming(room.clear, room.set)
            call = asyncio.ensure_future(_deliver(streamed(incoming), send, head_only=head_only))
            departure = asyncio.ensure_future(self._feed(incoming, room, admission.max_body, receive))
        else:
            call = asyncio.ensure_future(_deliver(admission.answer(body), send, head_only=head_only))
            departure = asyncio.ensure_future(_departure(receive))
        try:
            await asyncio.wait({call, departure}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            departure.cancel()
            call.cancel()
            await asyncio.wait({call})
        if not call.cancelled():
            call.result()

    async def _body(self, most: int, receive: Receive) -> bytes:
        """The whole body. Raises `Refused`, and `_Left` when the client left before it was there."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                more = True
                while more:
                    piece, more = await _piece(receive)
                    body += piece
                    if len(body) > most:
                        raise too_large(most)
        except TimeoutError:
            raise too_late(self._limits.body_seconds, streamed=False) from None
        return bytes(body)

    async def _feed(self, incoming: Incoming, room: asyncio.Event, most: int, receive: Receive) -> None:
        """Hand on the body as it arrives; return when the client has left."""
        seconds = self._limits.body_seconds
        loop = asyncio.get_running_loop()
        pace, taken, more = Pace(), 0, True
        until = loop.time() + seconds
        try:
            while more:
                if not room.is_set():
                    await room.wait()
                    pace.restart(taken)
                    until = loop.time() + seconds
                try:
                    async with asyncio.timeout_at(until):
                        piece, more = await _piece(receive)
                except TimeoutError:
                    if not pace.keeps_up(taken):
                        raise too_late(seconds, streamed=True) from None
                    until = loop.time() + seconds
                    continue
                taken += len(piece)
                if taken > most:
                    raise too_large(most)
                incoming.feed(piece)
            incoming.end()
        except Refused as error:
            incoming.fail(error)
        except _Left:
            return
        await _departure(receive)


class _Left(Exception):
    """The client has left before its body was there."""


def _require_plain(request: Request) -> None:
    if request.head.headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedMediaType("The body is compressed. Send it as it is, without Content-Encoding.")


async def _piece(receive: Receive) -> tuple[bytes, bool]:
    """The next part of the body, and whether there are more. Raises `_Left`."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise _Left
    return message.get("body", b""), message.get("more_body", False)


def _request(scope: MutableMapping[str, Any]) -> Request:
    target: bytes = scope["raw_path"]
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    client = scope.get("client")
    return understand(
        scope["method"].encode("ascii"),
        target,
        0 if scope["http_version"] == "1.0" else 1,
        tidy(scope["headers"]),
        Peer(scheme=scope["scheme"], client=client[0] if client else ""),
    )


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _deliver(answer: Awaitable[Reply], send: Send, *, head_only: bool) -> None:
    reply = await answer
    await _send(send, reply, head_only=head_only)


async def _send(send: Send, reply: Reply, *, head_only: bool, close: bool = False) -> None:
    headers = list(reply.headers)
    if close:
        headers.append((b"connection", b"close"))
    pieces = reply.stream
    if pieces is None:
        if has_body(reply.status):
            headers.append((b"content-length", b"%d" % len(reply.body)))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body if has_body(reply.status) else b""})
        return
    if reply.length is not None:
        headers.append((b"content-length", b"%d" % reply.length))
    try:
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if not head_only:
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        await pieces.aclose()
