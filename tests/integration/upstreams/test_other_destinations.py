"""Callers who name where a call should go: published ways to have a gateway send its keys to somebody else.

Each case names the advisory that had its shape. The call goes to the backend of its deployment, with that backend's
key, or nowhere; the host that the caller names is never connected to.
"""

import asyncio
import http.client
import json

import pytest

from forehearth.testing.upstream import Answer, Upstream
from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer
from tests.integration.upstreams.calls import CHAT, CLASSIC, MODELS, PROJECT, V1

KEY = "a-key-of-the-backend-0123456789"
ANSWER = json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": []}).encode()
HERE = "{evil}"
"""What stands for the address of the host that a caller names."""

BODIES = {
    "LiteLLM CVE-2024-6587: api_base": {"api_base": HERE},
    "LiteLLM CVE-2024-6587: base_url and a key": {"base_url": HERE, "api_key": "x", "api_version": "1"},
    "LiteLLM: a provider of the caller's": {"custom_llm_provider": "openai", "model_list": [{"api_base": HERE}]},
    "LiteLLM: fallbacks with an address": {"fallbacks": [{"model": "chat", "api_base": HERE}]},
    "LiteLLM: headers of the caller's": {"extra_headers": {"host": "evil.example", "x-api-base": HERE}},
    "Azure extensions: data sources": {"data_sources": [{"type": "azure_search", "parameters": {"endpoint": HERE}}]},
    "Flowise CVE-2026-69258: overrideConfig": {"overrideConfig": {"basePath": HERE, "openAIApiKey": "x"}},
}
HEADERS = {
    "Portkey CVE-2025-66405: a host": {"x-portkey-custom-host": HERE, "x-portkey-provider": "openai"},
    "Portkey CVE-2026-110719: a host that is this machine": {"x-portkey-custom-host": "http://localhost:{port}/v1"},
    "Portkey: a whole configuration": {"x-portkey-config": '{"provider": "openai", "custom_host": "{evil}"}'},
    "GitLab CVE-2026-75871: another host": {"x-forwarded-host": "127.0.0.1:{port}", "forwarded": "host=127.0.0.1"},
    "vLLM CVE-2026-116176: an address as the request's id": {"x-request-id": HERE, "x-ms-client-request-id": HERE},
    "IIS: another address": {"x-original-url": HERE, "x-rewrite-url": HERE, "x-original-host": "127.0.0.1:{port}"},
    "OpenAI proxies: a base in a header": {"x-openai-base-url": HERE, "x-api-base": HERE, "x-target-url": HERE},
    "httpoxy CVE-2016-5385: a proxy": {"proxy": HERE, "proxy-connection": "keep-alive"},
}
PATHS = (V1, CLASSIC, MODELS, PROJECT)


@pytest.fixture
async def host():
    async with Upstream(respond=lambda _: Answer(body=ANSWER)) as host:
        yield host


@pytest.fixture
async def evil():
    async with Upstream(respond=lambda _: Answer(body=ANSWER)) as evil:
        yield evil


@pytest.fixture
async def server(start_forehearth: StartForehearth, host) -> ForehearthServer:
    backend = {"provider": "openai_compatible", "base_url": f"{host.url}/v1", "api_key": "${BACKEND_KEY}"}
    config = {"version": 1, "backends": {"host": backend}, "deployments": {"chat": {"backends": [{"backend": "host"}]}}}
    environment = {"BACKEND_KEY": KEY, "NO_PROXY": "127.0.0.1"}
    return await asyncio.to_thread(start_forehearth, json.dumps(config), environment=environment)


def post(server: ForehearthServer, path: str, body: object, headers: dict[str, str]) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    fields = {"content-type": "application/json", "api-key": server.key, **headers}
    connection.request("POST", path.format("chat"), json.dumps(body), fields)
    answer = connection.getresponse()
    seen = f"{answer.headers}{answer.read().decode()}"
    connection.close()
    return answer.status, seen


def filled(value: object, evil: Upstream) -> object:
    """The same, with the address of that host in it."""
    port = evil.url.rpartition(":")[2]
    return json.loads(json.dumps(value).replace(HERE, evil.url).replace("{port}", port))


async def test_no_caller_says_where_a_call_goes_or_gets_the_key_of_a_backend(server, host, evil, record_property):
    """All cases on all surfaces: projects take no keys, and the others send it to the one host there is."""
    asked = [(body, {}) for body in BODIES.values()] + [({}, headers) for headers in HEADERS.values()]
    served = 0
    for body, headers in asked:
        for path in PATHS:
            whole = CHAT | {"model": "chat"} | filled(body, evil)
            status, seen = await asyncio.to_thread(post, server, path, whole, filled(headers, evil))
            assert status == 200 if path not in (PROJECT, MODELS) else status in {200, 400, 401}, (body, headers, path)
            assert KEY not in seen
            served += status == 200
    assert evil.connections == []
    assert len(host.requests) == served >= 2 * len(asked)
    for request in host.requests:
        assert request.header(b"authorization") == f"Bearer {KEY}".encode()
        assert request.header(b"host") == host.url.removeprefix("http://").encode()
        assert server.key.encode() not in repr(request).encode()
        named = {name for name, value in request.headers if evil.url.encode() in value}
        assert named <= {b"x-ms-client-request-id"}, "an id is passed on as it is, and is nothing but an id"
    record_property("requests", len(asked) * len(PATHS))
    record_property("connections to the host that callers named", len(evil.connections))


@pytest.mark.parametrize("model", ["openai/chat", "http://{evil}/v1", "chat@{evil}", "chat?api_base={evil}", "../chat"])
async def test_no_name_of_a_model_is_an_address(server, host, evil, model):
    status, _ = await asyncio.to_thread(post, server, V1, CHAT | {"model": filled(model, evil)}, {})
    assert status == 404
    assert host.requests == []
    assert evil.connections == []


async def test_without_a_credential_nothing_is_sent_by_ours(server, host):
    """n8n-mcp CVE-2026-45707: who had none got the operator's."""
    for headers in (
        {"api-key": ""},
        {"api-key": "Bearer"},
        {"api-key": KEY},
        {"api-key": "", "authorization": "Bearer"},
    ):
        assert (await asyncio.to_thread(post, server, V1, CHAT | {"model": "chat"}, headers))[0] == 401
    assert host.requests == []
