"""A server with two workers and somebody who may use its projects, for what is kept below a project."""

import http.client
import json
from typing import Any

from tests.forehearth_server import ForehearthServer

CONFIG = """
version: 1
server: {{workers: 2}}
backends: {{script: {{provider: scripted}}}}
deployments: {{chat: {{backends: [{{backend: script}}]}}}}
projects: {{sales: {{}}}}
resources:
  contoso:
    deployments: {{chat: {{backends: [{{backend: script}}]}}}}
identity:
  oidc:
    test: {{issuer: "{url}", keys_url: "{keys}", audiences: ["https://ai.azure.com"]}}
  assignments:
    - {{role: Foundry User, user: maria}}
    - {{role: Foundry User, user: maria, resource: contoso}}
"""
LOOPBACK = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


class ProjectClient:
    """Asks one server what is at `base` below a project; each call on a connection of its own, for any worker."""

    def __init__(
        self, server: ForehearthServer, token: str, *, base: str = "", media: str = "application/json"
    ) -> None:
        self._port = server.port
        self._base = base
        self._headers = {"authorization": f"Bearer {token}", "content-type": media}

    def ask(
        self, method: str, path: str, body: object = None, *, project: str = "default", host: str | None = None
    ) -> tuple[int, Any]:
        """Status and JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        target = f"/api/projects/{project}{self._base}{path}{'&' if '?' in path else '?'}api-version=v1"
        headers = self._headers | ({"host": host} if host else {})
        try:
            connection.request(method, target, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(raw) if raw else None
