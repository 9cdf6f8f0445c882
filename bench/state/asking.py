"""A client that has a fixed number of calls under way, each of which may differ: one at every connection, in turns.

The load generator of the other benchmarks sends the same bytes again and again, and a conversation is asked but once.
"""

import http.client
import json
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from bench.errors import FailedError

_PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A request, and what a good answer to it has somewhere in its body."""

    target: str
    headers: Mapping[str, str]
    body: object
    expects: bytes = b""

    def encoded(self) -> bytes:
        """As it goes on the wire."""
        body = json.dumps(self.body, separators=(",", ":")).encode()
        lines = [f"POST {self.target} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json", "accept: */*"]
        lines += [f"content-length: {len(body)}", *(f"{name}: {value}" for name, value in self.headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body


class Client:
    """Connections to one server that are kept alive. Use as a context manager."""

    def __init__(self, port: int, connections: int) -> None:
        self._port, self._connections = port, connections
        self._sockets: list[socket.socket] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for _ in range(self._connections):
            opened = socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(self._stack.enter_context(opened))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def one(self, ask: Ask) -> Any:
        """The JSON that is answered. Raises `FailedError` where the answer is no good one."""
        return json.loads(self.all([(ask.encoded(), ask.expects)])[0])

    def all(self, asked: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """The bodies that are answered to encoded requests, each with what it expects. Raises `FailedError`."""
        bodies = []
        for start in range(0, len(asked), len(self._sockets)):
            batch = list(zip(self._sockets, asked[start : start + len(self._sockets)], strict=False))
            for connection, (request, _) in batch:
                connection.sendall(request)
            bodies += [_answer(connection, expects) for connection, (_, expects) in batch]
        return bodies


def _answer(connection: socket.socket, expects: bytes) -> bytes:
    try:
        answer = http.client.HTTPResponse(connection, method="POST")
        answer.begin()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise FailedError(f"no whole answer: {error!r}") from None
    if answer.status != http.client.OK or expects not in body:
        raise FailedError(f"status {answer.status}: {body[:300].decode(errors='replace')}")
    return body
