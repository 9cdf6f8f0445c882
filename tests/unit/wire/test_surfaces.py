"""Every path of the three surfaces, and what stands in the way of a call."""

import json

import pytest

from tests.unit.doors import KEY, answer, head

CHAT = {"messages": [{"role": "user", "content": "hi"}]}
TEXT = {"prompt": "hi"}
EMBED = {"input": ["hi"]}
COMPLETION = {"id": "c", "object": "chat.completion", "choices": [], "usage": {"prompt_tokens": 1, "total_tokens": 1}}

SERVED = [
    ("/models/chat/completions?api-version=2024-05-01-preview", {**CHAT, "model": "chat"}, "chat/completions"),
    ("/models/chat/completions?api-version=2024-10-21", {**CHAT, "model": "chat"}, "chat/completions"),
    ("/models/chat/completions", CHAT, "chat/completions"),
    ("/models/embeddings?api-version=2025-05-15-preview", {**EMBED, "model": "vectors"}, "embeddings"),
    ("/chat/completions", {**CHAT, "model": "chat"}, "chat/completions"),
    ("/embeddings", {**EMBED, "model": "vectors"}, "embeddings"),
    ("/openai/v1/chat/completions", {**CHAT, "model": "chat"}, "chat/completions"),
    ("/openai/v1/chat/completions?api-version=preview", {**CHAT, "model": "default"}, "chat/completions"),
    ("/openai/v1/completions", {**TEXT, "model": "chat"}, "completions"),
    ("/openai/v1/embeddings", {**EMBED, "model": "vectors"}, "embeddings"),
    ("/openai/v1/deployments/chat/chat/completions?api-version=preview", CHAT, "chat/completions"),
    ("/openai/deployments/chat/chat/completions?api-version=2024-10-21", CHAT, "chat/completions"),
    ("/openai/deployments/chat/chat/completions?api-version=2031-01-01", {**CHAT, "model": None}, "chat/completions"),
    ("/openai/deployments/chat/chat/completions?api-version=2024-10-21", {**CHAT, "model": "no"}, "chat/completions"),
    ("/openai/deployments/ch%61t/completions?api-version=2024-10-21", TEXT, "completions"),
    ("/openai/deployments/vectors/embeddings?api-version=2025-04-01-preview", EMBED, "embeddings"),
]


@pytest.mark.parametrize(("target", "body", "path"), SERVED)
async def test_a_call_reaches_the_host(door, target, body, path):
    client = door(answer(COMPLETION))
    reply = await client.post(target, body)
    assert reply.status == 200
    (request,) = client.host.requests
    assert request.target == f"/v1/{path}".encode()
    assert json.loads(request.body) == {**body, "model": "served-model"}
    assert dict(reply.headers)[b"x-ms-deployment-name"] == (b"vectors" if path == "embeddings" else b"chat")


REFUSED = [
    # target, body, status, code in error, text that the message holds
    ("/models/nothing", b"{}", 404, "404", "POST /models/chat/completions"),
    ("/models/images/embeddings", {"input": []}, 400, "OperationNotSupported", "No such model"),
    ("/models/chat/completions?api-version=soon", CHAT, 400, "BadRequest", "2024-05-01-preview"),
    ("/models/chat/completions", {**CHAT, "top_k": 3}, 400, "unknown_parameter", "extra-parameters"),
    ("/models/embeddings", EMBED, 400, "OperationNotSupported", "model.type: chat_completion"),
    ("/openai/v1/nothing", b"{}", 404, "404", "POST /openai/v1/chat/completions"),
    ("/openai/v1/responses", b"{}", 501, "NotServedYet", "responses"),
    ("/openai/v1/", b"{}", 404, "404", "POST /openai/v1/chat/completions"),
    ("/openai/v1/chat/completions", CHAT, 400, "invalid_value", "model"),
    ("/openai/v1/chat/completions?api-version=v7", {**CHAT, "model": "chat"}, 400, "BadRequest", "not supported"),
    ("/openai/v1/chat/completions", {**CHAT, "model": "who"}, 404, "DeploymentNotFound", "does not exist"),
    ("/openai/v1/chat/completions", {**CHAT, "model": "vectors"}, 400, "OperationNotSupported", "does not work"),
    ("/openai/v1/embeddings", {**EMBED, "model": "chat"}, 400, "OperationNotSupported", "does not work"),
    (
        "/openai/v1/chat/completions",
        b'{"model": "chat",\n "messages": oops}',
        400,
        "malformed_body",
        "line 2, column 14",
    ),
    ("/openai/v1/chat/completions", b"", 400, "malformed_body", "empty"),
    ("/openai/v1/chat/completions", b'{"model": "chat"', 400, "malformed_body", "at its end"),
    ("/openai/v1/chat/completions", b"[" * 50_000, 400, "invalid_value", "JSON object"),
    ("/openai/v1/chat/completions", b'{"model":"chat","x":' + b"[" * 50_000, 400, "malformed_body", "nested"),
    ("/openai/v1/chat/completions", {"model": "chat"}, 400, "invalid_value", "Missing required parameter: 'messages'"),
    ("/openai/v1/chat/completions", {**CHAT, "model": 7}, 400, "invalid_value", "'model'"),
    ("/openai/v1/chat/completions", {**CHAT, "model": "chat", "n": 0}, 400, "invalid_value", "'n'"),
    ("/openai/v1/chat/completions", {**CHAT, "model": "chat", "stream": "yes"}, 400, "invalid_value", "'stream'"),
    ("/openai/v1/chat/completions", {"model": "chat", "messages": [{}]}, 400, "invalid_value", "'messages[0].role'"),
    ("/openai/v1/chat/completions", {"model": "chat", "messages": []}, 400, "invalid_value", "'messages'"),
    ("/openai/v1/embeddings", {"model": "vectors", "input": {}}, 400, "invalid_value", "'input'"),
    ("/openai/deployments/chat/chat/completions", CHAT, 404, "404", "api-version=2024-10-21"),
    ("/openai/deployments/chat/chat/completions?api-version=new", CHAT, 404, "404", "api-version"),
    ("/openai/deployments/who/chat/completions?api-version=2024-10-21", CHAT, 404, "DeploymentNotFound", "not exist"),
    ("/openai/deployments//chat/completions?api-version=2024-10-21", CHAT, 404, "404", "deployment name"),
    ("/openai/deployments/a%2Fb/chat/completions?api-version=2024-10-21", CHAT, 404, "DeploymentNotFound", "not exist"),
    ("/openai/deployments/chat/responses/compact?api-version=2024-10-21", b"{}", 404, "404", "Resource not found"),
    ("/openai/batches?api-version=2024-10-21", b"{}", 501, "NotServedYet", "batches"),
    ("/openai/v1/chat/completion", CHAT, 404, "404", "Did you mean POST /openai/v1/chat/completions?"),
    ("/openai/v1/chats/completions", CHAT, 404, "404", "Did you mean POST /openai/v1/chat/completions?"),
    (
        "/openai/deployments/chat/embedings?api-version=2024-10-21",
        b"{}",
        404,
        "404",
        "Did you mean POST /openai/deployments/{deployment}/embeddings",
    ),
    (
        "/openai/v1/openai/deployments/chat/chat/completions?api-version=2024-10-21",
        CHAT,
        404,
        "404",
        "'/openai/' is in the path twice. This client takes the host alone.",
    ),
    ("/models/chat/completion", CHAT, 404, "404", "Did you mean POST /models/chat/completions?"),
    ("/openai/v1/nothing/near", b"{}", 404, "404", "POST /openai/v1/embeddings,"),
    ("/openai/nothing?api-version=2024-10-21", b"{}", 404, "404", "/openai/deployments"),
]


@pytest.mark.parametrize(("target", "body", "status", "code", "text"), REFUSED)
async def test_a_call_is_refused_in_the_surfaces_words(door, target, body, status, code, text):
    client = door(answer(COMPLETION))
    reply = await client.post(target, body, x_ms_client_request_id="mine")
    said = json.loads(reply.body)
    assert (reply.status, said["error"]["code"]) == (status, code)
    assert text in said["error"]["message"]
    assert client.host.requests == []
    headers = dict(reply.headers)
    assert headers[b"apim-request-id"] == headers[b"x-request-id"] == b"id-0"
    assert headers[b"x-ms-client-request-id"] == b"mine"
    assert headers[b"content-type"] == b"application/json"
    if target.startswith("/models"):
        assert (said["status"], said["code"], said["message"]) == (status, code, said["error"]["message"])
        assert headers[b"x-ms-error-code"] == code.encode()


PATHS = [
    "/models/chat/completions",
    "/embeddings",
    "/openai/v1/chat/completions",
    "/openai/deployments/chat/chat/completions?api-version=2024-10-21",
    "/openai/v1/models",
    "/openai/nothing",
]


@pytest.mark.parametrize("target", PATHS)
@pytest.mark.parametrize(
    "headers", [{}, {"api_key": "wrong"}, {"authorization": "Bearer wrong"}, {"authorization": KEY}]
)
def test_without_a_good_key_nothing_is_read(door, target, headers):
    client = door(answer(COMPLETION))
    for method in ("GET", "POST"):
        reply = client.gateway.accept(head(target, method=method, key=None, **headers))
        assert reply.status == 401
        assert json.loads(reply.body)["error"]["code"] == "401"
        assert KEY not in repr(reply)


KEY_FORMS = [
    {"api_key": KEY},
    {"authorization": f"Bearer {KEY}"},
    {"authorization": f"bearer  {KEY} "},
    {"x_api_key": KEY},
    {"ocp_apim_subscription_key": KEY},
    {"api_key": KEY, "authorization": f"Bearer {KEY}"},
    {"api_key": KEY, "authorization": "Bearer dummy"},
    {"api_key": "dummy", "authorization": f"Bearer {KEY}"},
]


@pytest.mark.parametrize("target", PATHS[:4])
@pytest.mark.parametrize("headers", KEY_FORMS)
def test_every_form_of_the_key_is_accepted_everywhere(door, target, headers):
    assert hasattr(door(answer(COMPLETION)).gateway.accept(head(target, key=None, **headers)), "answer")


@pytest.mark.parametrize("target", PATHS[:4])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_a_wrong_method_is_told_the_right_one(door, target, method):
    reply = door(answer(COMPLETION)).gateway.accept(head(target, method=method))
    assert reply.status == 405
    assert dict(reply.headers)[b"allow"] == b"POST"


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
def test_a_body_of_another_kind_is_refused_before_it_is_read(door, kind):
    reply = door(answer(COMPLETION)).gateway.accept(head(PATHS[2], content_type=kind))
    assert reply.status == 415
    assert "application/json" in json.loads(reply.body)["error"]["message"]


@pytest.mark.parametrize(
    "target", ["/", "/health/live", "/metrics", "/modelsx", "/openaix/v1", "/apix/projects", "/console"]
)
def test_other_paths_are_not_ours(door, target):
    assert door(answer(COMPLETION)).gateway.accept(head(target)) is None
