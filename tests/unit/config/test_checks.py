"""What has to fit together across the file."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from forehearth.config.loader import load
from forehearth.config.problems import ConfigError
from forehearth.registry import PROVIDER_SETTINGS
from forehearth.testing.certificates import Authority
from tests.unit.config.reading import problems, read

BASE = "version: 1\nbackends: {one: {provider: demanding, address: x}, toy: {provider: toy}}\n"


def told(text):
    return [(each.path, each.message, each.hint) for each in problems(BASE + text)]


LIMITED = "deployments: {d: {backends: [{backend: one}], limits: ["
PRODUCT = "deployments: {d: {backends: [{backend: one}]}}\nproducts: {p: "
ROUTED = "deployments: {d: {backends: [{backend: one}]}}\nroutes: {r: "
WHEN = "when: {asks_for: [tools]}"
CONNECTED = "projects: {p: {connections: {c: {type: ApiKey, target: x, default: true"
REFUSED = [
    (
        CONNECTED + "}, d: {type: ApiKey, target: y, default: true}}}}",
        ("projects.p.connections", "2 connections of the type ApiKey are the default", ""),
    ),
    (
        PRODUCT + "{deployments: [d, e]}}",
        ("products.p.deployments[1]", "there is no deployment 'e'", "there are 'd'"),
    ),
    (
        PRODUCT + "{limits: [{tokens_per_day: 5}, {tokens_per_minute: 9}]}}",
        (
            "products.p.limits",
            "tokens_per_minute: 9 is never reached beside tokens_per_day: 5",
            "leave it out, or give it a lower number",
        ),
    ),
    (
        LIMITED + "{tokens_per_minute: 64}]}}",
        (
            "deployments.d.limits",
            "no call fits into tokens_per_minute: 64, as tokens.overhead is 64",
            "give it a higher number",
        ),
    ),
    (
        LIMITED + "{requests_per_minute: 5, concurrent_calls: 5}]}}",
        (
            "deployments.d.limits[0].concurrent_calls",
            "this is more than one limit: requests_per_minute and concurrent_calls",
            "make it two limits",
        ),
    ),
    (
        LIMITED + "{requests_per_minute: 5, counter_key: ['header:']}]}}",
        (
            "deployments.d.limits[0].counter_key[0]",
            "expected key, caller, deployment, product, project or header:NAME, found text 'header:'",
            "",
        ),
    ),
    (
        ROUTED + "{deployments: [d, e]}}",
        ("routes.r.deployments[1]", "there is no deployment 'e'", "there are 'd'"),
    ),
    (
        ROUTED + "{deployment: d, rules: [{" + WHEN + ", deployment: dd}]}}",
        ("routes.r.rules[0].deployment", "there is no deployment 'dd'", "there are 'd'"),
    ),
    (
        ROUTED + "{deployment: d, rules: [{" + WHEN + ", deployments: [d, e]}]}}",
        ("routes.r.rules[0].deployments[1]", "there is no deployment 'e'", "there are 'd'"),
    ),
    (
        ROUTED + "{deployment: d, deployments: [d]}}",
        (
            "routes.r.deployment",
            "there is deployment beside deployments, and a call goes one way",
            "leave one of the two out",
        ),
    ),
    (
        ROUTED + "{rules: [{" + WHEN + ", deployment: d}]}}",
        ("routes.r", "the key 'deployment' is missing", "deployment: A name under `deployments`."),
    ),
    (
        ROUTED + "{deployments: [d, d]}}",
        ("routes.r.deployments", "'d' is there more than once", "leave it out once"),
    ),
    (
        ROUTED + "{deployment: d, rules: [{when: {}, deployment: d}]}}",
        ("routes.r.rules[0].when", "this rule is for every call", "give a condition, or leave the rule out"),
    ),
    (
        "deployments: {d: {strategy: session_affinity, backends: [{backend: one}]}}",
        (
            "deployments.d.strategy",
            "session_affinity needs an affinity",
            "add it, such as affinity: {header: x-session-id}",
        ),
    ),
    (
        "deployments: {d: {affinity: {member: user}, backends: [{backend: one}]}}",
        ("deployments.d.affinity", "the strategy priority has no affinity", "add strategy: session_affinity"),
    ),
    (
        "deployments: {d: {strategy: session_affinity, affinity: {}, backends: [{backend: one}]}}",
        ("deployments.d.affinity", "a session is known by a header or by a member", "write one of the two keys"),
    ),
    (
        "resources: {contoso: {deployments: {d: {backends: [{backend: oen}]}}}}",
        ("resources.contoso.deployments.d.backends[0].backend", "there is no backend 'oen'", "did you mean 'one'?"),
    ),
    (
        "deployments: {d: {backends: [{backend: one}]}}\nresources: {contoso: {routes: {r: {deployment: d}}}}",
        (
            "resources.contoso.routes.r.deployment",
            "there is no deployment 'd'",
            "there are none: add it under 'deployments'",
        ),
    ),
    (
        "resources: {contoso: {}}\nidentity: {assignments: [{role: Owner, user: u, resource: contso}]}",
        ("identity.assignments[0].resource", "there is no resource 'contso'", "did you mean 'contoso'?"),
    ),
    (
        "projects: {sales: {}}\nidentity: {assignments: [{role: Owner, user: u, project: sale}]}",
        ("identity.assignments[0].project", "there is no project 'sale'", "did you mean 'sales'?"),
    ),
    (
        "resources: {r: {}}\nidentity: {assignments: [{role: Owner, user: u, resource: r, project: sales}]}",
        ("identity.assignments[0].project", "there is no project 'sales'", "there are 'default'"),
    ),
    (
        "deployments: {d: {backends: [{backend: oen}]}}",
        ("deployments.d.backends[0].backend", "there is no backend 'oen'", "did you mean 'one'?"),
    ),
    (
        "deployments: {d: {backends: [{backend: azure}]}}",
        ("deployments.d.backends[0].backend", "there is no backend 'azure'", "there are 'one' and 'toy'"),
    ),
    (
        "deployments: {d: {backends: [{backend: one}], cache: {semantic: {embeddings: e}}}}",
        ("deployments.d.cache.semantic.embeddings", "there is no deployment 'e'", "there are 'd'"),
    ),
    (
        "deployments: {d: {backends: [{backend: one}], cache: {semantic: {embeddings: d}}}}",
        (
            "deployments.d.cache.semantic.embeddings",
            "the deployment 'd' makes no vectors",
            "name one whose model.type is embeddings",
        ),
    ),
    (
        "deployments: {d: {backends: [{backend: one}], cache: {entries: 5}}}",
        (
            "deployments.d.cache",
            "this cache has neither exact nor semantic",
            "write exact: {} or semantic: {embeddings: …}",
        ),
    ),
    (
        "routes: {r: {deployment: d}}",
        ("routes.r.deployment", "there is no deployment 'd'", "there are none: add it under 'deployments'"),
    ),
    (
        "deployments: {d: {backends: [{backend: one}]}}\nroutes: {d: {deployment: d}}",
        (
            "routes.d",
            "a deployment has this name too, in line 3",
            "clients use both as a model's name: give the route another one",
        ),
    ),
    (
        "server: {port: 80, tls_port: 80}",
        ("server.tls_port", "http and https cannot share the port 80", "give `port` and `tls_port` different numbers"),
    ),
    (
        "server: {port: 8443}",
        ("server.port", "http and https cannot share the port 8443", "give `port` and `tls_port` different numbers"),
    ),
    (
        "server: {admin_port: 8080}",
        (
            "server.admin_port",
            "http and /admin cannot share the port 8080",
            "give `port` and `admin_port` different numbers",
        ),
    ),
    (
        "server: {port: 1, tls_port: 9, admin_port: 9}",
        (
            "server.admin_port",
            "https and /admin cannot share the port 9",
            "give `tls_port` and `admin_port` different numbers",
        ),
    ),
    (
        "server: {tls_port: 8080}",
        (
            "server.tls_port",
            "http and https cannot share the port 8080",
            "give `port` and `tls_port` different numbers",
        ),
    ),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED)
def test_what_does_not_fit(text, problem):
    assert told(text) == [problem]


@pytest.mark.parametrize(
    "text",
    [
        "server: {port: 0, tls_port: 0}",
        "server: {port: 0, tls_port: null, admin_port: 0}",
        "server: {tls_port: null, admin_port: null}",
        "server: {port: 8443, tls_port: null}",
        "deployments: {a: {backends: [{backend: toy, model: no-such.gguf}]}}",
        "deployments: {a: {backends: [{backend: one, model: catalogue-name}]}}",
        "deployments: {a: {backends: [{backend: one}]}}\nroutes: {b: {deployment: a}}",
    ],
)
def test_what_does(text):
    read(BASE + text)


def test_references_are_checked_even_where_what_they_name_is_wrong():
    text = "version: 1\nbackends: {a: {provider: nonsense}}\ndeployments: {d: {backends: [{backend: a}, {backend: b}]}}"
    assert [each.path for each in problems(text)] == ["backends.a.provider", "deployments.d.backends[1].backend"]


@pytest.mark.parametrize(("given", "other"), [("certificate", "key"), ("key", "certificate")])
def test_certificate_and_key_come_together(given, other, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    leaf = Authority(tmp_path).issue("localhost")
    (tmp_path / "it.pem").write_bytes(Path(leaf.certificate).read_bytes() + Path(leaf.key).read_bytes())
    (problem,) = problems(f"version: 1\nserver: {{tls: {{{given}: it.pem}}}}")
    assert problem.path == f"server.tls.{given}"
    assert problem.message == f"there is a {given} but no {other}"
    assert problem.hint.startswith(f"add '{other}: PATH'")
    settings = read("version: 1\nserver: {tls: {certificate: it.pem, key: it.pem}}")
    assert settings.server.tls.certificate == settings.server.tls.key == str(tmp_path / "it.pem")
    read("version: 1\nserver: {tls: {certificate: null, key: null}}")


@pytest.mark.parametrize(
    ("certificate", "key", "hint"),
    [
        ("one.pem", "two.key", "the private key belongs to another certificate"),
        ("one.key", "one.key", "both are text in PEM, which begins with -----BEGIN"),
        ("one.pem", "one.pem", "both are text in PEM, which begins with -----BEGIN"),
        ("one.pem", "locked.key", "both are text in PEM, which begins with -----BEGIN"),
    ],
)
def test_certificate_and_key_are_one_pair(certificate, key, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        leaf = Authority(tmp_path).issue("localhost")
        Path(leaf.certificate).rename(tmp_path / f"{name}.pem")
        Path(leaf.key).rename(tmp_path / f"{name}.key")
    locked = serialization.load_pem_private_key((tmp_path / "one.key").read_bytes(), None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"open")
    )
    (tmp_path / "locked.key").write_bytes(locked)
    (problem,) = problems(f"version: 1\nserver:\n  tls:\n    key: {key}\n    certificate: {certificate}")
    assert (problem.line, problem.column, problem.path) == (5, 18, "server.tls.certificate")
    assert problem.message == f"this and {tmp_path / key} are not a certificate and its key"
    assert problem.hint.startswith(hint)


def test_a_certificate_that_is_not_there_is_told_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it.pem").write_text("pem")
    found = problems("version: 1\nserver: {tls: {certificate: nowhere.pem, key: it.pem}}")
    assert [each.path for each in found] == ["server.tls.certificate"]


@pytest.mark.parametrize(
    ("connection", "count"),
    [
        ("client_key: it.pem", 1),
        ("client_key: it.pem, client_certificate: null", 1),
        ("client_key: it.pem, connect_seconds: soon", 2),
        ("client_key: it.pem, client_certificate: it.pem", 0),
        ("client_certificate: it.pem", 0),
        ("client_key: null", 0),
    ],
)
def test_a_client_key_needs_its_certificate(connection, count, tmp_path):
    (tmp_path / "it.pem").write_text("pem")
    backend = f"{{provider: openai_compatible, base_url: 'http://h', connection: {{{connection}}}}}"
    (tmp_path / "a.yaml").write_text(f"version: 1\nbackends: {{a: {backend}}}")
    found = []
    try:
        load(tmp_path / "a.yaml", providers=PROVIDER_SETTINGS, environ={})
    except ConfigError as error:
        found = list(error.problems)
    assert len(found) == count
    if count:
        assert found[0].path == "backends.a.connection.client_key"
        assert found[0].message == "there is a client_key but no client_certificate"


def test_a_model_may_be_a_file_where_the_provider_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    for name in ("small.GGUF", "models/other.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
        settings = read(BASE + f"deployments: {{a: {{backends: [{{backend: toy}}, {{backend: one, model: {name}}}]}}}}")
        assert [each.model for each in settings.deployments["a"].backends] == [None, str(tmp_path / name)]
    (problem,) = problems(BASE + "deployments: {a: {backends: [{backend: one, model: gone.gguf}]}}")
    assert problem.path == "deployments.a.backends[0].model"
    assert "cannot be read: No such file or directory" in problem.message
    (problem,) = problems(BASE + "deployments: {a: {backends: [{backend: one, model: ./models}]}}")
    assert problem.message.endswith("is a folder, not a file")
