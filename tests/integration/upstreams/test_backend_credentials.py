"""Credentials towards backends, through the real server, by azure-identity as it is published.

The endpoints that give out tokens are stand-ins on the loopback address; the hosts keep a record of what reaches them.
"""

import asyncio
import json
import time
from pathlib import Path
from urllib.parse import urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from forehearth.testing.certificates import Authority
from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer, Upstream
from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer
from tests.integration.upstreams.calls import (
    CLASSIC,
    MODELS,
    PROJECT,
    V1,
    ask,
    azure,
    bearer,
    by_secret,
    configuration,
    page,
)
from tests.integration.upstreams.entra import (
    IDENTITY_HEADER,
    SECRET,
    SERVICE_ACCOUNT,
    TENANT,
    Entra,
    Machine,
    certificate_of_an_application,
    said,
)

KEY = "a-key-of-the-backend-0123456789"
ANSWER = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": []}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def entra(authority: Authority):
    async with Entra(authority.issue("127.0.0.1"), Path(authority.bundle).with_name("app.pem")) as entra:
        yield entra


@pytest.fixture
async def host():
    async with Upstream(respond=lambda _: said(200, ANSWER)) as host:
        yield host


@pytest.fixture
def start(start_forehearth: StartForehearth, authority: Authority):
    """Starts a server in a thread, because what it asks for at its start is answered here."""

    async def start(config: str, *arguments: str, wait: bool = True, **environment: str) -> ForehearthServer:
        variables = {
            "CLIENT_SECRET": SECRET,
            "KEY": KEY,
            "REQUESTS_CA_BUNDLE": authority.bundle,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        return await asyncio.to_thread(
            start_forehearth, config, *arguments, environment=variables | environment, wait=wait
        )

    return start


async def test_every_kind_of_identity_gets_its_own_token(entra, host, authority, start, tmp_path):
    file = certificate_of_an_application(Path(authority.bundle).parent)
    pod = tmp_path / "pod"
    pod.write_text(SERVICE_ACCOUNT)
    app = {"tenant": TENANT, "authority": entra.url}
    certificate = {"certificate": str(file), "certificate_password": "${PASSWORD}", "client_id": "certified"}
    async with Machine() as machine:
        backends = {
            "secret": azure(host, by_secret(entra)),
            "certificate": azure(host, {"kind": "client_certificate", **app, **certificate}, form="classic"),
            "workload": azure(host, {"kind": "workload_identity", **app, "client_id": "pod", "token_file": str(pod)}),
            "machine": azure(host, {"kind": "managed_identity"}, form="models"),
            "assigned": azure(host, {"kind": "managed_identity", "client_id": "x", "scope": "https://ai.azure.com/.default"}),
            "default": {"provider": "openai_compatible", "base_url": f"{host.url}/v1",
                        "credential": {"kind": "default", "authority": entra.url}},
        }  # fmt: skip
        server = await start(
            configuration(backends),
            PASSWORD="open",
            IDENTITY_ENDPOINT=f"{machine.url}/msi/token",
            IDENTITY_HEADER=IDENTITY_HEADER,
            AZURE_TENANT_ID=TENANT,
            AZURE_CLIENT_ID="by-variables",
            AZURE_CLIENT_SECRET=SECRET,
        )
        for name in backends:
            assert (await ask(server, name)).status == 200
        issued = entra.tokens.holders | machine.tokens.holders
    holders = [issued[bearer(seen)] for seen in host.requests]
    assert holders == ["app", "certified", "pod", "machine-itself", "machine-x", "by-variables"]
    scopes = [bearer(seen).partition(".for.")[2] for seen in host.requests]
    assert scopes[0] == scopes[1] == scopes[2] == scopes[5] == "cognitiveservices.azure.com-.default"
    assert scopes[3:5] == ["cognitiveservices.azure.com", "ai.azure.com"]
    assert len(issued) == len(backends), "a token is fetched once"
    assert server.stop() == 0


async def test_a_virtual_machine_and_a_pod_by_their_variables(entra, host, start, tmp_path):
    pod = tmp_path / "pod"
    pod.write_text(SERVICE_ACCOUNT)
    backends = {
        "machine": azure(host, {"kind": "managed_identity"}),
        "workload": azure(host, {"kind": "workload_identity", "authority": entra.url}),
    }
    async with Machine() as machine:
        server = await start(
            configuration(backends),
            AZURE_POD_IDENTITY_AUTHORITY_HOST=machine.url,
            AZURE_TENANT_ID=TENANT,
            AZURE_CLIENT_ID="pod",
            AZURE_FEDERATED_TOKEN_FILE=str(pod),
        )
        for name in backends:
            assert (await ask(server, name)).status == 200
        issued = entra.tokens.holders | machine.tokens.holders
    assert [issued[bearer(seen)] for seen in host.requests] == ["virtual-machine-itself", "pod"]


async def test_tokens_are_renewed_before_they_end(entra, host, start):
    entra.tokens.life = 6
    late: list[float] = []

    def check(seen: Seen) -> Answer:
        late.append(time.time() - entra.tokens.ends[bearer(seen)])
        return said(200, ANSWER)

    host._respond = check
    server = await start(configuration({"a": azure(host, by_secret(entra))}))
    async with asyncio.timeout(30):
        while len({bearer(seen) for seen in host.requests}) < 3:
            assert (await ask(server, "a")).status == 200
            await asyncio.sleep(0.05)
    assert max(late) < 0, "an ended token was sent"


async def test_a_401_is_reported_and_has_another_token_fetched(entra, host, start):
    server = await start(configuration({"a": azure(host, by_secret(entra))}))
    host.answers.append(said(401, {"error": {"code": "401", "message": "Access denied"}}))
    refused = await ask(server, "a")
    assert refused.status == 502
    assert "refused our credential" in refused.shown
    await entra.until(lambda: len(entra.tokens.holders) == 2)
    for _ in range(100):
        assert (await ask(server, "a")).status == 200
        if bearer(host.requests[-1]) != bearer(host.requests[0]):
            break
    first, second = entra.tokens.holders
    assert [bearer(host.requests[0]), bearer(host.requests[-1])] == [first, second]


async def test_an_issuer_that_says_no_stops_nobody_else(entra, host, start):
    entra.fault = "AADSTS7000222"
    backends = {"a": azure(host, by_secret(entra)), "open": {"provider": "openai_compatible", "base_url": host.url}}
    server = await start(configuration(backends, pools={"pool": ["a", "open"]}, log={"level": "debug"}))
    unserved = await ask(server, "a")
    assert unserved.status == 503
    assert 1 <= int(unserved.headers["retry-after"]) <= 60
    assert "no token" in unserved.shown
    assert [(await ask(server, each)).status for each in ("open", "pool")] == [200, 200]
    assert all(seen.header(b"authorization") is None for seen in host.requests)
    assert "credential of a: no token: the issuer refused with AADSTS7000222" in server.output
    assert "AADSTS" not in unserved.shown
    for secret in (SECRET, "Invalid client secret", "Trace ID", "client_secret="):
        assert secret not in unserved.shown + server.output
    entra.fault = ""
    await entra.until(lambda: bool(entra.tokens.holders))
    for _ in range(1_000):
        if (await ask(server, "a")).status == 200:
            break
        await asyncio.sleep(0.05)
    assert bearer(host.requests[-1]) in entra.tokens.holders


async def test_an_issuer_that_never_answers_holds_up_neither_start_nor_end(host, start, authority):
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(silence, "127.0.0.1", 0)
    async with silent:
        url = f"https://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
        credential = {
            "kind": "client_secret",
            "tenant": TENANT,
            "client_id": "a",
            "client_secret": "${KEY}",
            "authority": url,
        }
        began = time.monotonic()
        server = await start(configuration({"a": azure(host, credential)}))
        assert time.monotonic() - began < 20
        assert "no token" not in server.output, "it waited until the first attempt was given up"
        assert (await ask(server, "a")).status == 503
        began = time.monotonic()
        assert await asyncio.to_thread(server.stop) == 0
        assert time.monotonic() - began < 5


async def test_a_credential_that_lacks_something_stops_the_start(host, start):
    server = await start(configuration({"a": azure(host, {"kind": "workload_identity"})}), wait=False)
    assert await asyncio.to_thread(server.process.wait, 60) != 0
    assert "AZURE_FEDERATED_TOKEN_FILE" in server.output


ISSUER = "https://issuer.example"


def caller(key: rsa.RSAPrivateKey) -> str:
    """A token by which somebody calls the gateway."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": "us",
        "sub": "somebody",
        "oid": "somebody",
        "iat": now,
        "nbf": now,
        "exp": now + 600,
    }
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": "k"})


@pytest.fixture
async def gateway(entra, host, start):
    """A server with three backends at `host`, which also knows callers by tokens; and such a token."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": "k", "use": "sig", "alg": "RS256"}
    async with Upstream(respond=lambda _: said(200, {"keys": [jwk]})) as keys:
        oidc = {"issuer": ISSUER, "audiences": ["us"], "keys_url": f"{keys.url}/keys"}
        assignments = [{"role": "Foundry User", "user": "somebody"}]
        backends = {
            "token": azure(host, by_secret(entra)),
            "key": {"provider": "azure_openai", "endpoint": host.url, "form": "classic", "api_key": "${KEY}"},
            "open": {"provider": "openai_compatible", "base_url": f"{host.url}/v1"},
        }
        identity = {"oidc": {"other": oidc}, "assignments": assignments}
        config = configuration(backends, identity=identity, log={"level": "debug"})
        server = await start(config)
        yield server, caller(key)


async def test_what_a_caller_shows_us_stays_here(gateway, entra, host):
    server, token = gateway
    forms = [
        {"api-key": server.key},
        {"x-api-key": server.key},
        {"ocp-apim-subscription-key": server.key},
        {"authorization": f"Bearer {server.key}"},
        {"Authorization": f"bearer {server.key}", "API-Key": server.key},
        {"authorization": f"Bearer {token}"},
    ]
    besides = {"cookie": "session=a-cookie-of-the-caller", "proxy-authorization": "Basic a-proxy-password",
               "x-functions-key": "a-functions-key", "x-ms-client-request-id": "told-on"}  # fmt: skip
    asked = 0
    for deployment in ("token", "key", "open"):
        for path in (V1, CLASSIC, MODELS, PROJECT):
            for form in forms[-1:] if path == PROJECT else forms:
                reply = await ask(server, deployment, path, headers=form | besides)
                assert reply.status == 200, (path, form, reply.shown)
                asked += 1
    assert len(host.requests) == asked == 3 * 19
    (ours,) = entra.tokens.holders
    expected = {"Bearer " + ours: 19, KEY: 19, None: 19}
    counted: dict[str | None, int] = {}
    for seen in host.requests:
        wire = repr((seen.target, seen.headers, seen.body))
        for secret in (server.key, token, "a-cookie", "a-proxy-password", "a-functions-key", SECRET):
            assert secret not in wire
        assert seen.header(b"x-ms-client-request-id") == b"told-on"
        shown = [v.decode() for k, v in seen.headers if k in (b"authorization", b"api-key", b"x-api-key")]
        counted[shown[0] if shown else None] = counted.get(shown[0] if shown else None, 0) + len(shown or [None])
    assert counted == expected


def echoes(seen: Seen) -> dict[str, Answer]:
    """Every place where a host could show what it was sent."""
    sent = next((value for name, value in seen.headers if name in (b"authorization", b"api-key")), b"")
    text = sent.decode().removeprefix("Bearer ")
    shown = tuple(
        (name, sent) for name in (b"openai-model", b"x-ms-region", b"x-request-id", b"www-authenticate", b"x-a")
    )
    error = {"code": text, "message": f"Wrong key {text}.", "param": text, "type": text,
             "innererror": {"code": text, "content_filter_result": {"hate": {"filtered": text}}}}  # fmt: skip
    half = len(text) // 2
    pieces = (
        b'data: {"choices": [{"delta": {"content": "' + text[:half].encode(), 0.02,
        text[half:].encode() + b'"}}]}\n\n', b"data: " + json.dumps({"error": error}).encode() + b"\n\n",
        b"data: [DONE]\n\n",
    )  # fmt: skip
    refusals = {str(s): Answer(status=s, headers=shown, body=json.dumps({"error": error}).encode()) for s in
                (400, 401, 403, 404, 409, 418, 429, 500, 503)}  # fmt: skip
    return refusals | {
        "flat": Answer(status=400, body=json.dumps(error).encode()),
        "text": Answer(status=500, headers=((b"content-type", b"text/plain"),), body=sent),
        "200": Answer(headers=shown, body=json.dumps(ANSWER | {"echo": [text, sent.decode()]}).encode()),
        "stream": Answer(headers=shown, pieces=pieces),
    }


async def test_what_a_host_shows_of_our_credential_is_seen_by_nobody(gateway, entra, host):
    server, _ = gateway
    shown: list[str] = []
    for deployment in ("token", "key"):
        kinds = echoes(Seen(method=b"", target=b"", headers=(), body=b"", connection=0))
        for which in sorted(kinds, key=lambda each: each in {"429", "503"}):  # after these the host is left in peace
            host._respond = lambda seen, which=which: echoes(seen)[which]
            for path in (V1, CLASSIC, MODELS):
                reply = await ask(server, deployment, path, stream=which == "stream")
                assert (reply.status == 200) is (which in ("200", "stream")), which
                shown.append(reply.shown)
    tokens = list(entra.tokens.holders)
    shown += [await page(server, "/metrics"), await page(server, "/openai/v1/models"), server.output]
    assert sum("***" in each for each in shown) > 40, "the host did not show it"
    for secret in (*tokens, KEY, SECRET, "token-of-app", KEY[:12]):
        assert not [each for each in shown if secret in each]


async def test_a_redirect_is_not_followed_with_a_token(entra, host, start):
    async with Upstream() as elsewhere:
        host._respond = lambda _: Answer(status=307, headers=((b"location", f"{elsewhere.url}/x".encode()),))
        server = await start(configuration({"a": azure(host, by_secret(entra))}))
        reply = await ask(server, "a")
        assert reply.status == 502
        assert str(urlsplit(elsewhere.url).port) not in reply.shown
        assert elsewhere.connections == []


async def test_over_tls_through_a_proxy_only_the_host_reads_the_token(entra, authority, start):
    seen: list[bytes] = []

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        name, port = head.split()[1].decode().split(":")
        assert name == "127.0.0.1"
        there, back = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        seen.append(head)
        await asyncio.gather(piped(reader, back, seen), piped(there, writer, seen))

    tls = authority.issue("127.0.0.1").server_context()
    proxy = await asyncio.start_server(tunnel, "127.0.0.1", 0)
    async with Upstream(respond=lambda _: said(200, ANSWER), tls=tls) as host, proxy:
        url = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        connection = {"ca_bundle": authority.bundle, "proxy": url}
        server = await start(configuration({"a": azure(host, by_secret(entra), connection=connection)}))
        assert (await ask(server, "a")).status == 200
        assert bearer(host.requests[0]) in entra.tokens.holders
        assert bearer(host.requests[0]).encode() not in b"".join(seen)
        assert seen[0].startswith(b"CONNECT ")
        assert await asyncio.to_thread(server.stop) == 0


async def piped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: list[bytes]) -> None:
    while piece := await reader.read(65_536):
        seen.append(piece)
        writer.write(piece)
    writer.close()
