"""MCP's transport "streamable HTTP": one message is posted, one response comes back, as JSON or as events.

Spoken are the revisions with a handshake and sessions (2025-03-26 to 2025-11-25), and the one without (2026-07-28,
where each request says by itself which revision it is). Source: modelcontextprotocol.io/specification.
"""

import asyncio
import base64
import contextlib
import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

import msgspec

from forehearth.core.egress import EgressRequest
from forehearth.core.errors import AddressFailed, AddressRefused
from forehearth.core.exchange import Header, Stream
from forehearth.core.secret import Secret
from forehearth.core.tool import McpServer
from forehearth.core.upstream import Response, Timeouts
from forehearth.ports.egress import Egress
from forehearth.tools import json_rpc
from forehearth.tools.events import Events, EventTooLong

HANDSHAKE_VERSIONS: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
STATELESS_VERSION: Final = "2026-07-28"
MOST_BYTES: Final = 4 * 1024 * 1024
"""Bytes of one answer."""
_TIMES: Final = Timeouts(connect=5.0, first_byte=60.0, idle=60.0, total=120.0)
LONGEST_ANSWER: Final = 300.0
"""Seconds for one answer, with all that the server asks meanwhile and all the streams that it comes in."""
_CLOSING: Final = Timeouts(connect=2.0, first_byte=2.0, idle=2.0, total=3.0)
_OURS: Final = frozenset({
    b"accept", b"content-type", b"mcp-session-id", b"mcp-protocol-version", b"mcp-method", b"mcp-name",
    b"last-event-id",
})  # fmt: skip
_MOST_REQUESTS: Final = 16
"""Requests of the server that are answered while it works on one of ours."""
_MOST_RETURNS: Final = 3
"""How often the rest of a stream is asked for that ended without a response."""
_LONGEST_WAIT: Final = 5.0
_SESSION: Final = re.compile(rb"[\x21-\x7e]{1,1024}")
_PLAIN: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_MULTIPLE_CHOICES: Final = 300
_NOT_FOUND: Final = 404
_TOO_LARGE: Final = "its answer is larger than is taken"
_CLIENT: Final = {"name": "forehearth", "version": "1"}


class SessionLost(Exception):
    """The server does not know the session any more; a new one may be begun."""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """A response of the server: its result, or its error."""

    result: Mapping[str, Any] = {}
    error: json_rpc.Fault | None = None


class HttpRefused(Exception):
    """The server answered with a status that is no success, and with no message that says more."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class Channel:
    """The way to one server. It knows messages and sessions, and nothing of tools."""

    def __init__(self, server: McpServer, egress: Egress, *, longest: float = LONGEST_ANSWER) -> None:
        self._server = server
        self._egress = egress
        self._longest = longest
        self._secrets = _secrets(server)
        self._number = 0
        self._session: bytes | None = None
        self.version: str | None = None
        """The revision that is spoken; None before that is agreed on."""

    @property
    def stateless(self) -> bool:
        """Whether each request stands for itself."""
        return self.version == STATELESS_VERSION

    async def ask(self, method: str, params: Mapping[str, Any], headers: tuple[Header, ...] = ()) -> Answered:
        """Send a request, and return its response.

        Raises `AddressRefused`, `AddressFailed`, `HttpRefused` and `SessionLost`.
        """
        self._number += 1
        number = self._number
        if self.stateless:
            params = {**params, "_meta": _meta()}
            headers = (*headers, (b"mcp-method", method.encode()))
        raw = json_rpc.request(number, method, params)
        try:
            async with asyncio.timeout(self._longest):
                response = await self._post(raw, headers)
                if method == "initialize":
                    await self._begin_session(response)
                message = await self._response_to(number, response)
        except TimeoutError:
            raise self.unusable(f"it gave no answer within {self._longest:g} seconds") from None
        return Answered(result=message.result or {}, error=message.error)

    async def tell(self, method: str) -> None:
        """Send a notification. Raises as `ask`."""
        response = await self._post(json_rpc.notification(method), ())
        await self._close(response)
        if response.status >= _MULTIPLE_CHOICES:
            raise HttpRefused(response.status)

    def begin_anew(self) -> None:
        """Forget the session and the revision."""
        self._session = self.version = None

    async def end_session(self) -> None:
        """Tell the server that its session is over, if there is one. What it says to that is of no interest."""
        session = self._session
        if session is None:
            return
        request = self._request(b"DELETE", b"", (), _CLOSING)
        self._session = None
        try:
            response = await self._egress.send(request)
        except (AddressFailed, AddressRefused):
            return
        await self._close(response)

    async def _close(self, response: Response) -> None:
        if response.stream is not None:
            await response.stream.aclose()

    async def _post(self, raw: bytes, headers: tuple[Header, ...]) -> Response:
        fields = ((b"content-type", b"application/json"), *headers)
        return await self._egress.send(self._request(b"POST", raw, fields, _TIMES))

    def _request(self, method: bytes, body: bytes, headers: tuple[Header, ...], times: Timeouts) -> EgressRequest:
        fields = [(b"accept", b"application/json, text/event-stream"), *headers]
        if self.version is not None:
            fields.append((b"mcp-protocol-version", self.version.encode()))
        if self._session is not None:
            fields.append((b"mcp-session-id", self._session))
        param = self._server.param
        return EgressRequest(
            url=self._server.url,
            method=method,
            headers=tuple(fields),
            secrets=self._secrets,
            body=body,
            most_bytes=MOST_BYTES,
            timeouts=times,
            param=f"{param}.server_url" if param else None,
        )

    async def _begin_session(self, response: Response) -> None:
        session = response.headers.get(b"mcp-session-id")
        if session is not None and not _SESSION.fullmatch(session):
            await self._close(response)
            raise self.unusable("its session id is not one")
        self._session = session

    async def _response_to(self, number: int, response: Response) -> json_rpc.Message:
        if response.stream is not None:
            return await self._in_stream(number, response.stream)
        message = self._in_body(number, response)
        if response.status == _NOT_FOUND and self._session is not None:
            raise SessionLost
        if message is not None:
            return message
        if response.status >= _MULTIPLE_CHOICES:
            raise HttpRefused(response.status)
        raise self.unusable("its answer is no JSON-RPC response to the request")

    def _in_body(self, number: int, response: Response) -> json_rpc.Message | None:
        try:
            messages = list(json_rpc.read(response.body))
        except json_rpc.NotJsonRpc:
            return None
        refused = response.status >= _MULTIPLE_CHOICES
        # A request that could not be read is answered with no id.
        return next((each for each in messages if _is_response(each, number, anonymous=refused)), None)

    async def _in_stream(self, number: int, stream: Stream) -> json_rpc.Message:
        for left in reversed(range(_MOST_RETURNS + 1)):
            events = Events(MOST_BYTES)
            try:
                found = await self._found(number, stream, events)
            finally:
                await stream.aclose()
            if found is not None:
                return found
            if not left or not events.last_id or self._session is None:
                break
            stream = await self._rest_of(events)
        raise self.unusable("its stream ended without an answer")

    async def _found(self, number: int, stream: Stream, events: Events) -> json_rpc.Message | None:
        """The response in a stream; what the server asks meanwhile is answered."""
        answered = 0
        async with contextlib.aclosing(self._messages(stream, events)) as messages:
            async for message in messages:
                if _is_response(message, number, anonymous=False):
                    return message
                if message.method is not None and message.id is not None:
                    answered += 1
                    if answered > _MOST_REQUESTS:
                        raise self.unusable("it asks too much of its client")
                    await self._close(await self._post(json_rpc.answer(message), ()))
        return None

    async def _messages(self, stream: Stream, events: Events) -> AsyncGenerator[json_rpc.Message, None]:
        try:
            async for piece in stream:
                for event in events.feed(piece):
                    if event.data:
                        for message in json_rpc.read(event.data):
                            yield message
        except EventTooLong:
            raise self.unusable(_TOO_LARGE) from None
        except json_rpc.NotJsonRpc:
            raise self.unusable("an event of its answer is no JSON-RPC message") from None

    async def _rest_of(self, events: Events) -> Stream:
        """What comes after the last event, of a stream that the server closed to be asked again."""
        await asyncio.sleep(min(events.retry or 0.0, _LONGEST_WAIT))
        headers = ((b"last-event-id", events.last_id),)
        response = await self._egress.send(self._request(b"GET", b"", headers, _TIMES))
        if response.stream is None:
            raise self.unusable("its stream ended without an answer")
        return response.stream

    def unusable(self, why: str) -> AddressFailed:
        """The error for an answer that is none of MCP."""
        message = f"The MCP server '{self._server.label}' cannot be used: {why}."
        return AddressFailed(message, reason="unusable", param=self._server.param)


def header_value(text: str) -> bytes:
    """A text as the value of a header: as it is, or in base64 where a header cannot have it."""
    if _PLAIN.fullmatch(text) and not text.startswith("=?base64?"):
        return text.encode()
    return b"=?base64?%b?=" % base64.b64encode(text.encode())


def _is_response(message: json_rpc.Message, number: int, *, anonymous: bool) -> bool:
    if message.method is not None:
        return False
    return message.id == number or (anonymous and message.id is None and message.error is not None)


def _meta() -> dict[str, Any]:
    prefix = "io.modelcontextprotocol/"
    return {
        f"{prefix}protocolVersion": STATELESS_VERSION,
        f"{prefix}clientCapabilities": {},
        f"{prefix}clientInfo": _CLIENT,
    }


def _secrets(server: McpServer) -> tuple[tuple[bytes, Secret], ...]:
    """The caller's headers. Raises `AddressRefused` for those that are the protocol's own."""
    found = []
    for name, value in server.headers.items():
        written = name.lower().encode(errors="replace")
        if written in _OURS:
            where = f"{server.param}.headers" if server.param else None
            raise AddressRefused(
                f"The header '{name}' is set by MCP itself: leave it out.", reason="header", param=where
            )
        if written != b"authorization" or server.authorization is None:
            found.append((written, value))
    if server.authorization is not None:
        found.append((b"authorization", Secret(f"Bearer {server.authorization.reveal()}")))
    return tuple(found)
