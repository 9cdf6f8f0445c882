"""One request in the ASGI application's hands: uvicorn's cycle, and how ours differs."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from forehearth.core.exchange import Reply
from forehearth.http.head import Request
from forehearth.http.log import terse
from forehearth.http.replies import opening

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent, HTTPScope
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Outlet:
    """What a cycle takes for its transport: to close it is left to the connection, which may have input unread."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


class Cycle(RequestResponseCycle):
    """As uvicorn's, but it keeps the connection only once the body has come whole, and knows HTTP/1.0."""

    def __init__(
        self, connection: "HttpToolsProtocol", request: Request, date: bytes, hang_up: Callable[[], None]
    ) -> None:
        super().__init__(
            scope=_scope(connection, request),
            transport=cast("asyncio.Transport", Outlet(connection.transport, hang_up)),
            flow=connection.flow,
            logger=terse,  # type: ignore[arg-type] # it has what is used of a logger
            access_logger=connection.access_logger,
            access_log=False,
            default_headers=connection.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=request.expects_continue,
            keep_alive=False,
            on_response=connection.on_response_complete,
        )
        self._unframed = request.minor == 0
        self._date = date

    def feed(self, piece: bytes) -> None:
        """Hand on a part of the body."""
        self.body += piece
        if len(self.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.message_event.set()

    def complete(self, *, keep_alive: bool) -> None:
        """The body has come whole."""
        self.more_body = False
        self.keep_alive = keep_alive
        self.message_event.set()

    def interrupt(self) -> None:
        """To the application, the client has left; nothing that it still sends is written."""
        self.disconnected = True
        self.message_event.set()

    async def send(self, message: "ASGISendEvent") -> None:
        """As uvicorn's. HTTP/1.0 has no chunks: there, a body of unknown length ends with the connection."""
        if not self._unframed:
            await super().send(message)
            return
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            headers = tuple((name.lower(), value) for name, value in message.get("headers", ()))
            reply = Reply(status=message["status"], headers=headers)
            self.transport.write(opening(reply, self._date, close=True, chunked=False))
            self.response_started = True
        elif message["type"] == "http.response.body":
            if self.scope["method"] != "HEAD" and (body := message.get("body", b"")):
                self.transport.write(body)
            if not message.get("more_body", False):
                self.response_complete = True
                self.message_event.set()
                self.transport.close()
                self.on_response()


def _scope(connection: "HttpToolsProtocol", request: Request) -> "HTTPScope":
    head = request.head
    path = head.raw_path.decode("ascii")
    return {
        "type": "http",
        "asgi": {"version": connection.asgi_version, "spec_version": "2.3"},
        "http_version": "1.1" if request.minor else "1.0",
        "server": connection.server,
        "client": connection.client,
        "scheme": head.scheme,
        "method": head.method.decode("ascii"),
        "root_path": connection.root_path,
        "path": unquote(path) if "%" in path else path,
        "raw_path": head.raw_path,
        "query_string": head.query,
        "headers": list(request.fields),
        "state": connection.app_state.copy(),
    }
