"""The admin API without a network: a Starlette application around a test's office, asked as a server would."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from forehearth.core.errors import NotAuthenticated
from forehearth.core.exchange import Head
from forehearth.core.principal import Principal
from forehearth.core.trace import Trace
from forehearth.routing.resources import by_host
from forehearth.wire.admin import TRACE, AdminPages, AdminRoute
from forehearth.wire.admin_openapi import document
from forehearth.wire.admin_table import ENDPOINTS, PARAMETERS
from tests.unit.admin.offices import TestOffice
from tests.unit.identity.keyed import DEVELOPMENT, OTHER, RESOURCE

DOCUMENT = document(ENDPOINTS, PARAMETERS, "")
_OPERATIONS = {
    (method.upper(), re.compile(path.replace("{id}", "[A-Za-z0-9][A-Za-z0-9._-]*"))): operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}


def assert_described(method: str, path: str, answer: "Answer") -> None:
    """What an endpoint of a server answers is in the OpenAPI document, whichever test asks."""
    if b"No server works here" in answer.body:  # said to commands that work on a data directory
        return
    for (described, form), operation in _OPERATIONS.items():
        if described == method and form.fullmatch(path):
            assert str(answer.status) in operation["responses"], f"{method} {path}: {answer.status} is not described"


class Answer(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code, which the header has, too."""
        code = self.json["error"]["code"]
        assert self.headers["x-ms-error-code"] == code
        return str(code)


class AdminDoor:
    """Asks the application. `people` are those who come with a token, by its text."""

    def __init__(self, office: TestOffice) -> None:
        self.office = office
        self.people: dict[str, Principal] = {}
        self.route = AdminRoute(AdminPages(office.office), self._authorise, by_host(RESOURCE, {OTHER: OTHER}))
        self._app = Starlette(routes=[self.route, Route("/health/live", lambda _: PlainTextResponse("live"))])
        self._app.router.redirect_slashes = False

    async def ask(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        key: str | None = DEVELOPMENT,
        headers: Mapping[str, str] | None = None,
        host: str = "localhost",
        leaves: bool = False,
    ) -> Answer:
        """One request. A body that is not bytes is sent as JSON; a client that `leaves` does so before its end."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        fields = {"host": host} | ({"api-key": key} if key else {})
        fields |= {"content-type": "application/json"} if content else {}
        fields |= headers or {}
        raw, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(raw),
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
            TRACE: Trace("request-1"),
        }
        pieces = [content[start : start + 10_000] for start in range(0, len(content), 10_000)] or [b""]
        waiting = [{"type": "http.request", "body": each, "more_body": True} for each in pieces]
        waiting[-1]["more_body"] = leaves
        answer = await self._exchange(scope, waiting)
        assert_described(method, raw, answer)
        return answer

    async def _exchange(self, scope: dict[str, Any], waiting: list[Any]) -> Answer:
        sent: list[Any] = []

        async def receive() -> Any:
            return waiting.pop(0) if waiting else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return Answer(
            status=sent[0]["status"],
            headers={name.decode(): value.decode() for name, value in sent[0]["headers"]},
            body=b"".join(message.get("body", b"") for message in sent[1:]),
        )

    async def _authorise(self, request: Request, resource: str) -> Principal:
        headers = dict(request.scope["headers"])
        client = request.client.host if request.client else ""
        head = Head(method=b"GET", raw_path=b"/", headers=headers, client=client)
        found = self.office.ring.identify(head, resource, self.office.clock.unix())
        found = found or self.people.get(head.headers.get(b"authorization", b"").decode("latin-1"))
        if found is None:
            raise NotAuthenticated("Access denied due to invalid subscription key or wrong API endpoint.")
        return found
