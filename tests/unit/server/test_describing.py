"""`/openapi/` beside the other pages: where the document of `/admin` is, when that has a port of its own."""

import json

import pytest

from forehearth.server.app import create_app
from forehearth.server.describing import description, routes
from forehearth.server.health import Health
from forehearth.server.status import Status
from forehearth.wire.swagger import swagger


async def ask(path, *, port, admin_ports=()):
    app = create_app(health=Health(Status, lambda: False), metrics=str, new_id=lambda: "1", routes=routes(admin_ports))
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "https",
        "http_version": "1.1",
        "headers": [(b"host", b"gateway.example")],
        "server": ("127.0.0.1", port),
        "client": ("127.0.0.1", 1),
    }
    await app(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.mark.parametrize(("port", "status"), [(8080, 404), (9090, 200)])
@pytest.mark.parametrize("form", ["json", "swagger.json"])
async def test_the_document_of_admin_is_where_admin_is(port, status, form):
    assert (await ask(f"/openapi/admin.{form}", port=port, admin_ports=[9090]))[0] == status


async def test_the_others_are_at_every_port_under_the_name_that_was_called():
    status, document = await ask("/openapi/openai-v1.json", port=8080, admin_ports=[9090])
    assert (status, document["servers"]) == (200, [{"url": "https://gateway.example/openai/v1"}])


async def test_swagger_names_the_address_that_was_called_and_is_whole():
    _, document = await ask("/openapi/openai-v1.swagger.json", port=8080)
    assert document == swagger(description("openai-v1", "https://gateway.example"))


async def test_there_are_no_others():
    assert (await ask("/openapi/nothing.json", port=8080))[0] == 404
