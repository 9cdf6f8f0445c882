import contextlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from forehearth.server.app import create_app
from forehearth.server.health import Health
from forehearth.server.status import Status, Weights


class Answer(msgspec.Struct):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(app: ASGIApp, method: str, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    """One request, as a server would hand it over; what the application raises after its answer is for the log."""
    sent: list[Any] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    with contextlib.suppress(ValueError):
        await app(scope, receive, send)
    return Answer(
        status=sent[0]["status"],
        headers={name.decode(): value.decode() for name, value in sent[0]["headers"]},
        body=b"".join(message.get("body", b"") for message in sent[1:]),
    )


def app_with(status: Status | None = None, *, draining: bool = False, routes: tuple[Route, ...] = ()) -> ASGIApp:
    health = Health(lambda: status or Status(), lambda: draining)
    return create_app(health=health, metrics=lambda: "numbers 1\n", new_id=lambda: "id-1", routes=routes)


@pytest.mark.parametrize("draining", [True, False])
async def test_live_is_live_even_while_ending(draining: bool):
    answer = await ask(app_with(draining=draining), "GET", "/health/live")
    assert (answer.status, answer.json) == (200, {"status": "live"})


async def test_ready_is_ready_without_a_credential():
    answer = await ask(app_with(), "GET", "/health/ready")
    assert (answer.status, answer.json) == (200, {"status": "ready"})
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("status", "draining", "said"),
    [(Status(weights={"small": Weights()}), False, "starting"), (Status(), True, "stopping")],
)
async def test_not_ready_says_why_and_when_to_ask_again(status: Status, draining: bool, said: str):
    answer = await ask(app_with(status, draining=draining), "GET", "/health/ready")
    assert answer.status == 503
    assert answer.json["status"] == said
    assert int(answer.headers["retry-after"]) > 0


async def test_metrics_are_prometheus_text():
    answer = await ask(app_with(), "GET", "/metrics")
    assert answer.body == b"numbers 1\n"
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("path", ["/", "/health", "/health/", "/health/live/", "/metricsx", "/v1/chat/completions"])
async def test_an_unknown_path_is_a_json_404_that_names_the_base_urls(path: str):
    answer = await ask(app_with(), "GET", path)
    assert answer.status == 404
    error = answer.json["error"]
    assert error["code"] == "404"
    assert error["message"].startswith("Resource not found. ")
    assert all(
        base in error["message"] for base in ("/openai/v1/", "/models/", "/openai/deployments/", "/api/projects/")
    )


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
async def test_a_wrong_method_is_a_json_405_that_names_the_right_ones(method: str):
    answer = await ask(app_with(), method, "/health/live")
    assert answer.status == 405
    assert answer.json["error"]["code"] == "405"
    assert set(answer.headers["allow"].replace(" ", "").split(",")) == {"GET", "HEAD"}


async def test_head_is_answered():
    answer = await ask(app_with(), "HEAD", "/health/ready")
    assert answer.status == 200


@pytest.mark.parametrize("path", ["/health/live", "/metrics", "/nothing"])
async def test_every_answer_has_its_ids(path: str):
    answer = await ask(app_with(), "GET", path, {"x-ms-client-request-id": "mine"})
    assert answer.headers["apim-request-id"] == "id-1"
    assert answer.headers["x-request-id"] == "id-1"
    assert answer.headers["x-ms-client-request-id"] == "mine"


async def test_others_add_routes_and_their_failure_shows_nothing():
    async def added(_: Request) -> Response:
        return PlainTextResponse("added")

    async def broken(_: Request) -> Response:
        raise ValueError("secret detail")

    app = app_with(routes=(Route("/added", added), Route("/broken", broken)))
    assert (await ask(app, "GET", "/added")).body == b"added"
    answer = await ask(app, "GET", "/broken")
    assert answer.status == 500
    assert answer.json["error"]["code"] == "500"
    assert b"secret" not in answer.body
    assert answer.headers["x-request-id"] == "id-1"
