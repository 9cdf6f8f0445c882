"""Calls to a running server's three surfaces as a careful client makes them, and what came of each."""

import http.client
import json
import time
from dataclasses import dataclass
from email.message import Message

from tests.forehearth_server import ForehearthServer

SURFACES = {
    "models": "/models/chat/completions?api-version=2024-05-01-preview",
    "v1": "/openai/v1/chat/completions",
    "classic": "/openai/deployments/{}/chat/completions?api-version=2024-10-21",
}


@dataclass(frozen=True, kw_only=True)
class Came:
    """What came of a call. `whole` is false where the answer was cut off."""

    status: int
    reason: str
    headers: Message
    body: bytes
    whole: bool
    seconds: float

    @property
    def last_event(self) -> bytes:
        """The data of a stream's last event."""
        return self.body.rpartition(b"data: ")[2]

    @property
    def shown(self) -> bytes:
        """All that a caller can read."""
        return f"{self.reason}\n{self.headers}\n".encode() + self.body


def call(server: ForehearthServer, surface: str, deployment: str, *, stream: bool, patience: float = 30.0) -> Came:
    """Post a chat and read all that comes. Raises `OSError` where nothing does."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=patience)
    try:
        _ask(server, connection, surface, deployment, stream=stream)
        answer = connection.getresponse()
        body, whole = b"", True
        try:
            while piece := answer.read1(1 << 20):
                body += piece
        except http.client.IncompleteRead:
            whole = False
        whole = whole and answer.length in (None, 0)
        return Came(
            status=answer.status,
            reason=answer.reason,
            headers=answer.headers,
            body=body,
            whole=whole,
            seconds=time.monotonic() - began,
        )
    finally:
        connection.close()


def leave(server: ForehearthServer, surface: str, deployment: str, *, stream: bool, after: float) -> None:
    """Begin the same call and go away after so many seconds, whatever has come by then."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        _ask(server, connection, surface, deployment, stream=stream)
        time.sleep(after)
    finally:
        connection.close()


def _ask(
    server: ForehearthServer, connection: http.client.HTTPConnection, surface: str, deployment: str, *, stream: bool
) -> None:
    asked = {"model": deployment, "stream": stream, "messages": [{"role": "user", "content": "hello"}]}
    fields = {"content-type": "application/json", "api-key": server.key}
    connection.request("POST", SURFACES[surface].format(deployment), json.dumps(asked), fields)
