"""A whole server for the tests of `/admin`, and requests to it byte by byte as a test wants them."""

import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any

import msgspec

from tests.forehearth_server import ForehearthServer

CONFIG = """
version: 1
backends:
  script:
    provider: scripted
    rules: [{answer: "Hello."}]
deployments:
  chat: {backends: [{backend: script}]}
  other-chat: {backends: [{backend: script}]}
projects:
  sales: {}
resources:
  there:
    deployments:
      chat: {backends: [{backend: script}]}
"""
CHAT = "/openai/v1/chat/completions"
QUESTION = {"model": "chat", "messages": [{"role": "user", "content": "Hello?"}]}


class Answer(msgspec.Struct, frozen=True):
    """What came back; status 0 where the connection was closed without an answer."""

    status: int
    head: str
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Asks one server; as its development key, unless a test says otherwise. `port` is another one than its first."""

    def __init__(self, server: ForehearthServer, port: int | None = None) -> None:
        self.server = server
        self._port = port or server.port

    def ask(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        key: str | None = "",
        headers: Mapping[str, str] | None = None,
        host: str = "localhost",
    ) -> Answer:
        """One request on a connection of its own. `key` None sends none, an empty one the development key."""
        fields = [("host", host)]
        if key is not None:
            fields.append(("api-key", key or self.server.key))
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {name.lower() for name in headers or {}}
        if content and "content-type" not in given:
            fields.append(("content-type", "application/json"))
        if content or method in {"POST", "PUT"}:
            fields.append(("content-length", str(len(content))))
        fields += [*(headers or {}).items(), ("connection", "close")]
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return self.send(f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + content)

    def send(self, request: bytes) -> Answer:
        """These bytes, and the first answer to them."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=20) as connection:
            connection.sendall(request)
            response = http.client.HTTPResponse(connection, method=request.split(b" ", 1)[0].decode())
            try:
                response.begin()
                body = response.read()
            except (http.client.HTTPException, ConnectionError):
                return Answer(0, "", b"")
        return Answer(response.status, str(response.headers).lower(), body)

    def make(self, name: str, **wanted: Any) -> Any:
        """A new key, as the API shows it this once."""
        resource = wanted.pop("resource", "")
        target = f"/admin/keys?resource={resource}" if resource else "/admin/keys"
        answer = self.ask("POST", target, {"name": name, **wanted})
        assert answer.status == 201, answer.body
        return answer.json

    def names(self) -> set[str]:
        """The names of the default resource's keys."""
        return {each["name"] for each in self.ask("GET", "/admin/keys?limit=100").json["value"]}

    def chat(self, key: str | None, **rest: Any) -> int:
        """The status of a chat with a key."""
        return self.ask("POST", CHAT, QUESTION, key=key, **rest).status
