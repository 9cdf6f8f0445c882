"""The development issuer's addresses: what they answer, and above all whom they do not."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette

from forehearth.identity.development.device_codes import MOST
from forehearth.identity.development.identity_header import header_of
from forehearth.identity.development.issuer import CLIENT_GRANT, DEVICE_GRANT, SHORT_DEVICE_GRANT, DevelopmentIssuer
from forehearth.identity.development.people import SIGN_ON_CLIENT
from forehearth.wire.development_issuer import LARGEST_FORM, routes
from tests.unit.identity.development.cast import (
    APPLICATION,
    CLIENT_SECRET,
    INSTALLATION,
    MACHINE,
    MARIA,
    TENANT,
    make_issuer,
)

AI = "https://ai.azure.com"
HEADER = ("x-identity-header", header_of(INSTALLATION.secret, "maria").reveal())
FORM = ("content-type", "application/x-www-form-urlencoded")
APP_SERVICE = f"/dev-issuer/msi/token?api-version=2019-08-01&resource={AI}"
MACHINES = f"/metadata/identity/oauth2/token?api-version=2018-02-01&resource={AI}"
TOKEN = f"/{TENANT}/oauth2/v2.0/token"
DEVICE_CODE = f"/{TENANT}/oauth2/v2.0/devicecode"
GRANT = {
    "grant_type": CLIENT_GRANT,
    "client_id": APPLICATION,
    "client_secret": CLIENT_SECRET,
    "scope": f"{AI}/.default",
}
ISSUER_NAMES = (TENANT, "adfs", "organizations", "common")
Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Caller:
    """Speaks ASGI to the routes, as the HTTP server would for a peer at `peer`."""

    def __init__(self, issuer: DevelopmentIssuer, names: Sequence[str] = ()) -> None:
        self.issuer = issuer
        self.app = Starlette(routes=routes(issuer, names))
        self.app.router.redirect_slashes = False

    async def send(
        self,
        method: str,
        target: str,
        *headers: tuple[str, str],
        host: str | None = "localhost:8443",
        peer: str | None = "127.0.0.1",
        body: bytes | None = None,
        pieces: Sequence[bytes] = (),
        scheme: str = "https",
    ) -> Answer:
        path, _, query = target.partition("?")
        fields = [("host", host), *headers] if host is not None else list(headers)
        messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        messages.append({"type": "http.request", "body": body or b"", "more_body": False})
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "scheme": scheme,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields],
            "client": None if peer is None else (peer, 5),
            "server": ("127.0.0.1", 8443),
            "http_version": "1.1",
            "root_path": "",
        }
        await self.app(scope, receive, send)
        assert [each["type"] for each in sent] == ["http.response.start", "http.response.body"]
        told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        assert not [name for name in told if name.startswith("access-control-")]
        return Answer(status=sent[0]["status"], headers=told, body=sent[1]["body"])

    async def post(self, target: str, form: dict[str, str], *headers: tuple[str, str], **options: Any) -> Answer:
        return await self.send("POST", target, FORM, *headers, body=urlencode(form).encode(), **options)


@pytest.fixture(scope="module")
def caller() -> Caller:
    return Caller(make_issuer(), ("contoso.services.ai.azure.com",))


@pytest.fixture
def fresh() -> Caller:
    """One of whom nobody has asked anything yet."""
    return Caller(make_issuer())


@pytest.mark.parametrize("directory", ISSUER_NAMES)
@pytest.mark.parametrize("version", ["", "/v2.0"])
async def test_discovery_leads_to_everything_else(caller: Caller, directory: str, version: str):
    answer = await caller.send("GET", f"/{directory}{version}/.well-known/openid-configuration")
    found = answer.json
    assert found["issuer"] == caller.issuer.trusted.issuer
    base = f"https://localhost:8443/{directory}/"
    places = {name: url.removeprefix(base) for name, url in found.items() if str(url).startswith(base)}
    assert set(places) == {"authorization_endpoint", "token_endpoint", "device_authorization_endpoint", "jwks_uri"}
    keys = await caller.send("GET", f"/{directory}/{places['jwks_uri']}")
    assert keys.json == caller.issuer.trusted.keys
    token = await caller.post(f"/{directory}/{places['token_endpoint']}", GRANT)
    assert (token.status, token.json["token_type"], token.json["expires_in"]) == (200, "Bearer", 3_600)


async def test_discovery_names_the_place_where_it_was_asked(caller: Caller):
    target = "/adfs/.well-known/openid-configuration"
    for scheme, host in (("http", "127.0.0.1:8080"), ("https", "contoso.services.ai.azure.com")):
        found = (await caller.send("GET", target, scheme=scheme, host=host)).json
        assert found["token_endpoint"] == f"{scheme}://{host}/adfs/oauth2/v2.0/token"


@pytest.mark.parametrize("version", ["", "/v2.0"])
async def test_nobody_signs_in_through_a_browser(caller: Caller, version: str):
    answer = await caller.send("GET", f"/{TENANT}/oauth2{version}/authorize?client_id=x")
    assert (answer.status, answer.json["error"]) == (400, "unsupported_response_type")


@pytest.mark.parametrize("directory", ISSUER_NAMES)
@pytest.mark.parametrize("version", ["", "/v2.0"])
async def test_tokens_for_an_application(caller: Caller, directory: str, version: str):
    answer = await caller.post(f"/{directory}/oauth2{version}/token", GRANT)
    assert set(answer.json) == {"token_type", "expires_in", "ext_expires_in", "access_token"}
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("kind", [DEVICE_GRANT, SHORT_DEVICE_GRANT])
async def test_a_device_code_from_its_beginning_to_its_end(fresh: Caller, kind: str):
    form = {"client_id": SIGN_ON_CLIENT, "scope": f"openid profile {AI}/.default"}
    begun = (await fresh.post(DEVICE_CODE, form)).json
    assert begun["verification_uri"] == "https://localhost:8443/dev-issuer/device"
    assert begun["user_code"] in begun["message"]
    redeem = form | {"grant_type": kind, "device_code": begun["device_code"], "client_info": "1"}
    pending = await fresh.post(TOKEN, redeem)
    assert (pending.status, pending.json["error"]) == (400, "authorization_pending")
    approved = await fresh.post("/dev-issuer/device", {"user_code": begun["user_code"]}, HEADER)
    assert approved.json == {"user": "maria"}
    given = await fresh.post(TOKEN, redeem)
    assert set(given.json) >= {"access_token", "id_token", "client_info", "scope"}
    replayed = await fresh.post(TOKEN, redeem)
    assert (replayed.status, replayed.json["error"]) == (400, "bad_verification_code")


@pytest.mark.parametrize("path", ["/dev-issuer/msi/token", "/dev-issuer/msi/token/"])
async def test_managed_identity_as_app_service_has_it(caller: Caller, path: str):
    answer = await caller.send("GET", APP_SERVICE.replace("/dev-issuer/msi/token", path), HEADER)
    assert answer.status == 200
    assert (answer.json["resource"], answer.json["client_id"], answer.json["token_type"]) == (
        AI,
        SIGN_ON_CLIENT,
        "Bearer",
    )
    assert int(answer.json["expires_on"]) == int(answer.json["not_before"]) + 3_600
    assert all(isinstance(value, str) for value in answer.json.values())


@pytest.mark.parametrize("path", ["/metadata/identity/oauth2/token", "/metadata/identity/oauth2/token/"])
async def test_managed_identity_as_a_virtual_machine_has_it(caller: Caller, path: str):
    target = MACHINES.replace("/metadata/identity/oauth2/token", path)
    answer = await caller.send("GET", target, ("metadata", "true"))
    assert (answer.status, answer.json["expires_in"]) == (200, "3600")
    named = await caller.send("GET", f"{target}&client_id={MACHINE}", ("metadata", "True"))
    assert named.json["client_id"] == MACHINE


async def test_the_page_for_people_needs_nothing_and_tells_nothing(caller: Caller):
    answer = await caller.send("GET", "/dev-issuer/device", ("sec-fetch-site", "cross-site"))
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert b"forehearth login --approve" in answer.body
    assert b"<script" not in answer.body
    assert b"<form" not in answer.body


GOOD = {
    "discovery": ("GET", f"/{TENANT}/v2.0/.well-known/openid-configuration", (), None),
    "keys": ("GET", "/adfs/discovery/keys", (), None),
    "token": ("POST", TOKEN, (FORM,), GRANT),
    "older token": ("POST", "/adfs/oauth2/token", (FORM,), GRANT),
    "device code": ("POST", DEVICE_CODE, (FORM,), {"client_id": SIGN_ON_CLIENT, "scope": f"{AI}/.default"}),
    "app service": ("GET", APP_SERVICE, (HEADER,), None),
    "machine": ("GET", MACHINES, (("metadata", "true"),), None),
}
"""A request to each address that is answered 200 as it is."""


async def ask(caller: Caller, name: str, *more: tuple[str, str], **options: Any) -> Answer:
    method, target, headers, form = GOOD[name]
    body = urlencode(form).encode() if form is not None else None
    return await caller.send(method, target, *headers, *more, body=body, **options)


STRANGERS: dict[str, tuple[Headers, dict[str, Any]]] = {
    "another machine": ((), {"peer": "192.168.1.7"}),
    "another machine, in IPv6": ((), {"peer": "fe80::1%eth0"}),
    "another machine as IPv4 in IPv6": ((), {"peer": "::ffff:10.0.0.1"}),
    "nobody known": ((), {"peer": None}),
    "a rebound name": ((), {"host": "evil.example:8443"}),
    "a name below ours": ((), {"host": "evil.localhost"}),
    "a name that begins like ours": ((), {"host": "localhost.evil.example"}),
    "an address written otherwise": ((), {"host": "127.1"}),
    "all addresses": ((), {"host": "0.0.0.0:8443"}),
    "no name": ((), {"host": None}),
    "an empty name": ((), {"host": ""}),
    "two names": ((("host", "evil.example"),), {}),
    "user info": ((), {"host": "localhost@evil.example"}),
    "a proxy": ((("x-forwarded-for", "10.0.0.1"),), {}),
    "a proxy that says it is us": ((("x-forwarded-for", "127.0.0.1"),), {}),
    "a proxy's host": ((("x-forwarded-host", "localhost"),), {}),
    "a proxy by RFC 7239": ((("forwarded", "for=10.0.0.1"),), {}),
    "a gateway": ((("via", "1.1 gateway"),), {}),
    "nginx": ((("x-real-ip", "10.0.0.1"),), {}),
    "a page": ((("origin", "https://evil.example"),), {}),
    "a page of ours": ((("origin", "https://localhost:8443"),), {}),
    "a page in a sandbox": ((("origin", "null"),), {}),
    "a picture on a page": ((("sec-fetch-site", "cross-site"),), {}),
    "a page next door": ((("sec-fetch-site", "same-site"),), {}),
    "a page here": ((("sec-fetch-site", "same-origin"),), {}),
}


@pytest.mark.parametrize("name", GOOD)
async def test_what_is_refused_below_is_answered_as_it_is(caller: Caller, name: str):
    assert (await ask(caller, name)).status == 200
    assert (await ask(caller, name, peer="::1", host="[::1]:1")).status == 200
    assert (await ask(caller, name, host="contoso.services.ai.azure.com")).status == 200


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("name", GOOD)
async def test_strangers_get_nothing(caller: Caller, name: str, stranger: str):
    headers, options = STRANGERS[stranger]
    answer = await ask(caller, name, *headers, **options)
    assert answer.status == 403
    assert b"access_token" not in answer.body
    assert b"device_code" not in answer.body


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_strangers_approve_nothing(fresh: Caller, stranger: str):
    begun = fresh.issuer.begin({"client_id": SIGN_ON_CLIENT, "scope": f"{AI}/.default"})
    headers, options = STRANGERS[stranger]
    form = {"user_code": begun.user_code}
    assert (await fresh.post("/dev-issuer/device", form, HEADER, *headers, **options)).status == 403
    assert (await fresh.post("/dev-issuer/device", form, HEADER)).status == 200


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "get"])
async def test_other_methods_are_refused_and_no_preflight_is_granted(caller: Caller, name: str, method: str):
    _, target, headers, _ = GOOD[name]
    preflight = (("access-control-request-method", "POST"), ("access-control-request-private-network", "true"))
    answer = await caller.send(method, target, *headers, *preflight)
    assert (answer.status, answer.headers["allow"]) == (405, GOOD[name][0])
    assert (await caller.send(method, target, *headers, host="evil.example")).status == 403


HEADERLESS: dict[str, tuple[str, Headers, int]] = {
    "no identity header": (APP_SERVICE, (), 401),
    "an empty identity header": (APP_SERVICE, (("x-identity-header", ""),), 401),
    "an invented identity header": (APP_SERVICE, (("x-identity-header", "developer.AAAA"),), 401),
    "a name alone": (APP_SERVICE, (("x-identity-header", "developer"),), 401),
    "another's seal": (APP_SERVICE, (("x-identity-header", HEADER[1].replace("maria", "developer")),), 401),
    "letters beyond ASCII": (APP_SERVICE, (("x-identity-header", "d\xe9veloper.AAAA"),), 401),
    "two identity headers": (APP_SERVICE, (HEADER, HEADER), 403),
    "the secret in the query": (f"{APP_SERVICE}&x-identity-header={HEADER[1]}", (), 401),
    "the older secret": (APP_SERVICE, (("secret", HEADER[1]),), 401),
    "a machine's header": (APP_SERVICE, (("metadata", "true"),), 401),
    "no metadata header": (MACHINES, (), 400),
    "metadata false": (MACHINES, (("metadata", "false"),), 400),
    "metadata empty": (MACHINES, (("metadata", ""),), 400),
    "metadata one": (MACHINES, (("metadata", "1"),), 400),
    "metadata twice": (MACHINES, (("metadata", "true"), ("metadata", "true")), 403),
    "metadata in the query": (f"{MACHINES}&metadata=true", (), 400),
    "app service's header": (MACHINES, (HEADER,), 400),
}


@pytest.mark.parametrize("name", HEADERLESS)
async def test_managed_identity_without_its_header(caller: Caller, name: str):
    target, headers, status = HEADERLESS[name]
    answer = await caller.send("GET", target, *headers)
    assert answer.status == status
    assert "access_token" not in answer.json


ASKED_WRONGLY = {
    "no version": (APP_SERVICE.replace("2019-08-01", ""), "api-version"),
    "the older version": (APP_SERVICE.replace("2019-08-01", "2017-09-01"), "api-version"),
    "no resource": ("/dev-issuer/msi/token?api-version=2019-08-01", "resource"),
    "an empty resource": ("/dev-issuer/msi/token?api-version=2019-08-01&resource=", "resource"),
    "another audience": (APP_SERVICE.replace(AI, "https://management.azure.com"), "audiences"),
    "two audiences": (f"{APP_SERVICE}&resource=https://ml.azure.com", "more than once"),
    "an unknown identity": (f"{APP_SERVICE}&client_id={MARIA}", "Identity not found"),
    "one that has a secret": (f"{APP_SERVICE}&client_id={APPLICATION}", "Identity not found"),
    "not UTF-8": (f"{APP_SERVICE}&x=%ff", "cannot be read"),
    "too many parameters": (APP_SERVICE + "&x=" * 40, "cannot be read"),
}


@pytest.mark.parametrize("name", ASKED_WRONGLY)
async def test_what_a_managed_identity_cannot_be_asked(caller: Caller, name: str):
    target, words = ASKED_WRONGLY[name]
    answer = await caller.send("GET", target, HEADER)
    assert (answer.status, answer.json["statusCode"]) == (400, 400)
    assert words in answer.json["message"]
    machine = target.replace("/dev-issuer/msi/token", "/metadata/identity/oauth2/token")
    answer = await caller.send("GET", machine.replace("2017-09-01", "soon"), ("metadata", "true"))
    assert answer.status == 400
    assert words in answer.json["error_description"]


@pytest.mark.parametrize(
    "path",
    [
        "/dev-issuer/msi//token",
        "//dev-issuer/msi/token",
        "/dev-issuer/msi/../msi/token",
        "/dev-issuer/msi/token/x",
        "/dev-issuer/msi/token;x",
        "/Dev-Issuer/msi/token",
        "/dev-issuer/metadata/identity/oauth2/token",
        "/metadata/identity/oauth2/tokens",
        "/metadata/identity/oauth2",
        "/metadata/instance",
        f"/{MARIA}/oauth2/v2.0/token",
        f"/{TENANT}/adfs/oauth2/token",
        "/consumers/oauth2/v2.0/token",
        "/adfs/oauth2/v2.0/token/",
        "/adfs/../adfs/oauth2/v2.0/token",
        "/oauth2/v2.0/token",
        "/dev-issuer",
        "/",
    ],
)
async def test_other_paths_are_nobodys(caller: Caller, path: str):
    for method in ("GET", "POST"):
        answer = await caller.send(method, f"{path}?api-version=2019-08-01&resource={AI}", HEADER, ("metadata", "true"))
        assert answer.status == 404


BODIES: dict[str, tuple[Headers, bytes, int]] = {
    "JSON": ((("content-type", "application/json"),), json.dumps(GRANT).encode(), 415),
    "no type": ((), urlencode(GRANT).encode(), 415),
    "a simple type of pages": ((("content-type", "text/plain"),), urlencode(GRANT).encode(), 415),
    "multipart": ((("content-type", "multipart/form-data; boundary=x"),), b"--x--", 415),
    "two types": ((FORM, FORM), urlencode(GRANT).encode(), 403),
    "compressed": ((FORM, ("content-encoding", "gzip")), b"\x1f\x8b", 415),
    "empty": ((FORM,), b"", 400),
    "a field twice": ((FORM,), urlencode([*GRANT.items(), ("client_id", MACHINE)]).encode(), 400),
    "a secret twice": ((FORM,), urlencode([("client_secret", "x"), *GRANT.items()]).encode(), 400),
    "not ASCII": ((FORM,), "scope=é".encode(), 400),
    "not UTF-8": ((FORM,), b"scope=%ff", 400),
    "too many fields": ((FORM,), b"&".join(b"f%d=" % number for number in range(40)), 400),
    "too long": ((FORM,), b"x=" + b"y" * LARGEST_FORM, 413),
}


@pytest.mark.parametrize("target", [TOKEN, DEVICE_CODE, "/adfs/oauth2/token"])
@pytest.mark.parametrize("name", BODIES)
async def test_bodies_that_are_not_read(caller: Caller, target: str, name: str):
    headers, body, status = BODIES[name]
    answer = await caller.send("POST", target, *headers, body=body)
    assert answer.status == status
    assert answer.json["error"] in {"invalid_request", "access_denied"}
    assert CLIENT_SECRET not in answer.body.decode()


async def test_a_body_without_an_end_is_left(caller: Caller):
    pieces = [b"x" * 1_000] * 100
    answer = await caller.send("POST", TOKEN, FORM, pieces=pieces)
    assert answer.status == 413


async def test_a_form_in_the_query_is_not_read(caller: Caller):
    answer = await caller.post(f"{TOKEN}?{urlencode(GRANT)}", {})
    assert (answer.status, answer.json["error_codes"]) == (400, [900144])


async def test_a_caller_that_leaves_in_the_middle_is_not_answered(caller: Caller):
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "https",
        "path": TOKEN,
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", FORM[1].encode())],
        "client": ("127.0.0.1", 5),
    }
    await caller.app(scope, receive, send)
    assert sent == []


async def test_a_refusal_has_entras_shape(caller: Caller):
    given = ("client-request-id", "12345678-1234-4234-8234-123456789012")
    answer = await caller.post(TOKEN, GRANT | {"client_secret": "guessed"}, given)
    assert answer.status == 401
    told = answer.json
    assert (told["error"], told["error_codes"]) == ("invalid_client", [7000215])
    assert told["error_description"].startswith("AADSTS7000215: Invalid client secret provided. Trace ID: ")
    assert told["correlation_id"] == given[1]
    assert told["timestamp"] == "2027-01-15 08:00:00Z"
    assert told["trace_id"] in told["error_description"]
    assert "guessed" not in answer.body.decode()


async def test_a_correlation_id_that_is_none_is_not_repeated(caller: Caller):
    answer = await caller.post(TOKEN, {}, ("client-request-id", "<script>"))
    assert "<script>" not in answer.body.decode()


async def test_device_codes_are_bounded(fresh: Caller):
    form = {"client_id": SIGN_ON_CLIENT, "scope": f"{AI}/.default"}
    statuses = [(await fresh.post(DEVICE_CODE, form)).status for _ in range(MOST + 1)]
    assert statuses == [200] * MOST + [503]


async def test_who_approves_shows_who_they_are(fresh: Caller):
    begun = fresh.issuer.begin({"client_id": SIGN_ON_CLIENT, "scope": f"{AI}/.default"})
    form = {"user_code": begun.user_code}
    assert (await fresh.post("/dev-issuer/device", form)).status == 401
    assert (await fresh.post("/dev-issuer/device", form, ("x-identity-header", "maria.AAAA"))).status == 401
    assert (await fresh.post("/dev-issuer/device", {}, HEADER)).status == 400
    assert (await fresh.post("/dev-issuer/device", form, HEADER)).status == 200
