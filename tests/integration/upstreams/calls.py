"""Configurations with a backend for each deployment, calls to them, and what a host sees of such a call."""

import asyncio
import http.client
import json

from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Upstream
from tests.forehearth_server import ForehearthServer
from tests.integration.upstreams.entra import TENANT, Entra

CHAT = {"messages": [{"role": "user", "content": "hello"}]}
V1 = "/openai/v1/chat/completions"
CLASSIC = "/openai/deployments/{}/chat/completions?api-version=2024-10-21"
MODELS = "/models/chat/completions?api-version=2024-05-01-preview"
PROJECT = "/api/projects/default/openai/v1/chat/completions"


def configuration(
    backends: dict[str, dict[str, object]], *, pools: dict[str, list[str]] | None = None, **more: object
) -> str:
    """A deployment for each backend, by the same name, and one for each of the pools. JSON is YAML."""
    served = {name: [name] for name in backends} | (pools or {})
    deployments = {name: {"backends": [{"backend": each} for each in members]} for name, members in served.items()}
    return json.dumps({"version": 1, "backends": backends, "deployments": deployments} | more)


def azure(host: Upstream, credential: dict[str, object], **more: object) -> dict[str, object]:
    return {"provider": "azure_openai", "endpoint": host.url, "credential": credential, **more}


def by_secret(entra: Entra, **more: object) -> dict[str, object]:
    secret = {"tenant": TENANT, "client_id": "app", "client_secret": "${CLIENT_SECRET}"}
    return {"kind": "client_secret", **secret, "authority": entra.url, **more}


class Reply:
    """What a client of the gateway gets."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.body = answer.read()

    @property
    def shown(self) -> str:
        return f"{self.headers}\n{self.body.decode()}"


async def ask(server: ForehearthServer, deployment: str, path: str = V1, **more) -> Reply:
    """Post a chat; `headers` instead of the key, `stream` for a stream."""
    headers = more.get("headers") or {"api-key": server.key}
    body = CHAT | {"model": deployment} | ({"stream": True} if more.get("stream") else {})

    def post() -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        try:
            fields = {"content-type": "application/json", **headers}
            connection.request("POST", path.format(deployment), json.dumps(body), fields)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    return await asyncio.to_thread(post)


async def page(server: ForehearthServer, path: str) -> str:
    def get() -> str:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        try:
            connection.request("GET", path, headers={"api-key": server.key})
            return Reply(connection.getresponse()).shown
        finally:
            connection.close()

    return await asyncio.to_thread(get)


def bearer(seen: Seen) -> str:
    """The token of a request that has exactly one credential."""
    credentials = [value for name, value in seen.headers if name in (b"authorization", b"api-key", b"x-api-key")]
    assert len(credentials) == 1
    return credentials[0].decode().removeprefix("Bearer ")
