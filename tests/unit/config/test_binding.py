"""Keys: unknown ones, missing ones, misplaced ones, and what a mapping or list is when it should be the other."""

import pytest

from forehearth.core.settings import DeploymentBackend, Settings
from tests.unit.config.reading import problems, read, toy, toy_problem
from tests.unit.config.toys import Circle, Demanding, Square


def told(text):
    return [(each.line, each.column, each.path, each.message, each.hint) for each in problems(text)]


def test_the_least_file():
    assert read("version: 1") == Settings()


def test_a_whole_file():
    settings = read(
        """
version: 1
server: {port: 0, tls_port: null, tls: {names: [box.example, 10.0.0.7]}}
backends:
  one: {provider: demanding, address: here}
deployments:
  gpt-4.1:
    model: {version: 1.10}
    backends: [{backend: one}, {backend: one, model: other}]
routes:
  default: {deployment: gpt-4.1}
"""
    )
    assert settings.server.tls_port is None
    assert settings.server.tls.names == ("box.example", "10.0.0.7")
    assert settings.backends == {"one": Demanding(address="here")}
    assert settings.deployments["gpt-4.1"].model.version == "1.10"
    assert settings.deployments["gpt-4.1"].backends[1] == DeploymentBackend(backend="one", model="other")
    assert settings.routes["default"].deployment == "gpt-4.1"


UNKNOWN = [
    # The place, the key, and what is said to do.
    ("versoin: 1", "versoin", "did you mean 'version'?"),
    ("Version: 1", "Version", "did you mean 'version'?"),
    ("version: 1\nport: 80", "port", "it belongs under 'server'"),
    ("version: 1\nlevel: info", "level", "it belongs under 'log'"),
    (
        "version: 1\ntimeout: 1",
        "timeout",
        "the keys here are 'version', 'server', 'log', 'backends', 'deployments', ",
    ),
    ("version: 1\nserver: {tls-port: 1}", "server.tls-port", "did you mean 'tls_port'?"),
    ("version: 1\nserver: {tlsPort: 1}", "server.tlsPort", "did you mean 'tls_port'?"),
    ("version: 1\nserver: {certificate: x}", "server.certificate", "it belongs under 'server.tls'"),
    ("version: 1\nserver: {tls: {port: 1}}", "server.tls.port", "the keys here are 'certificate', 'key' and 'names'"),
    ("version: 1\nbackends: {a: {provider: toy, txt: x}}", "backends.a.txt", "did you mean 'text'?"),
    (
        "version: 1\nbackends: {a: {provider: toy, address: x}}",
        "backends.a.address",
        "it is a key of provider 'demanding', and this backend's provider is 'toy'",
    ),
    ("version: 1\nbackends: {a: {provider: toy, radius: 1}}", "backends.a.radius", "it belongs under"),
    (
        "version: 1\nbackends: {b: {provider: toy}}\ndeployments: {d: {backends: [{backend: b, provider: toy}]}}",
        "deployments.d.backends[0].provider",
        "it belongs under 'backends.NAME'",
    ),
    (
        "version: 1\nbackends: {b: {provider: toy}}\ndeployments: {d: {backends: [{backend: b, address: x}]}}",
        "deployments.d.backends[0].address",
        "it belongs under 'backends.NAME'",
    ),
    (
        "version: 1\nbackends: {b: {provider: toy}}\ndeployments: {d: {provider: toy, backends: [{backend: b}]}}",
        "deployments.d.provider",
        "it belongs under 'backends.NAME'",
    ),
    ("version: 1\nlog: {'': 1}", 'log[""]', "the keys here are 'level' and 'format'"),
    ('version: 1\nlog: {"a\\nb": 1}', 'log["a\\nb"]', "the keys here are 'level' and 'format'"),
]


@pytest.mark.parametrize(("text", "path", "hint"), UNKNOWN)
def test_an_unknown_key_is_told_with_the_nearest_right_one(text, path, hint):
    (problem,) = problems(text)
    assert problem.path == path
    assert problem.message.startswith("unknown key ")
    assert problem.hint.startswith(hint)


MISSING = [
    ("log: {}", "", "the key 'version' is missing", "add 'version: 1'"),
    (
        "version: 1\nbackends: {a: {}}",
        "backends.a",
        "the key 'provider' is missing",
        "it is one of 'toy' and 'demanding'",
    ),
    (
        "version: 1\nbackends: {a: {provider: demanding}}",
        "backends.a",
        "the key 'address' is missing",
        "address: Where the toy is.",
    ),
    (
        "version: 1\nroutes: {a: {}}",
        "routes.a",
        "the key 'deployment' is missing",
        "deployment: A name under `deployments`.",
    ),
]


@pytest.mark.parametrize(("text", "path", "message", "hint"), MISSING)
def test_a_missing_key_is_told_with_what_it_is_for(text, path, message, hint):
    (problem,) = problems(text)
    assert (problem.path, problem.message, problem.hint) == (path, message, hint)


@pytest.mark.parametrize("version", ["2", "'1'", "1.0", "one", ""])
def test_the_version_is_one(version):
    (problem,) = problems(f"version: {version}")
    assert problem.path == "version"
    assert problem.message.startswith("expected 1, found ")


SHAPES = [
    ("[1]", "", "expected a mapping of keys to values, found a list", "write 'key: value' lines, without '- '"),
    ("version:1", "", "expected a mapping of keys to values, found text 'version:1'", "put a space after the ':'"),
    ("just words", "", "expected a mapping of keys to values, found text 'just words'", "write 'key: value' lines"),
    ("version: 1\nserver: 8080", "server", "expected a mapping of keys to values, found the number 8080", "write 'key"),
    ("version: 1\nroutes: {a: b}", "routes.a", "expected a mapping of keys to values", "write {deployment: b}"),
    ("version: 1\nroutes: {a: }", "routes.a", "expected a mapping of keys to values, found nothing", "write its keys"),
    ("version: 1\nserver: {tls: {names: a.b}}", "server.tls.names", "expected a list, found text 'a.b'", "write [a.b]"),
    (
        "version: 1\nserver: {tls: {names: {a: b}}}",
        "server.tls.names",
        "expected a list, found a mapping of keys to values",
        "begin each item with '- '",
    ),
    (
        "version: 1\nbackends: {a: {provider: toy}}\ndeployments: {d: {backends: a}}",
        "deployments.d.backends",
        "expected a list, found text 'a'",
        "write [{backend: a}]",
    ),
    (
        "version: 1\nbackends: {a: {provider: toy}}\ndeployments: {d: {backends: []}}",
        "deployments.d.backends",
        "expected a list of at least one item, found an empty one",
        "",
    ),
]


@pytest.mark.parametrize(("text", "path", "message", "hint"), SHAPES)
def test_a_value_of_another_shape(text, path, message, hint):
    (problem,) = problems(text)
    assert problem.path == path
    assert problem.message.startswith(message)
    assert problem.hint.startswith(hint)


@pytest.mark.parametrize("section", ["server", "log", "backends", "deployments", "routes"])
def test_a_section_whose_lines_are_all_comments_is_as_if_it_were_not_there(section):
    assert read(f"version: 1\n{section}:\n  # nothing yet\n") == Settings()


def test_a_provider_that_is_none():
    (problem,) = problems("version: 1\nbackends: {a: {provider: tyo, whatever: 1}}")
    assert problem.path == "backends.a.provider"
    assert (problem.message, problem.hint) == ("there is no provider 'tyo'", "did you mean 'toy'?")
    (problem,) = problems("version: 1\nbackends: {a: {provider: aws}}")
    assert problem.hint == "there are 'toy' and 'demanding'"
    (problem,) = problems("version: 1\nbackends: {a: {provider: [toy]}}")
    assert problem.message == "there is no provider of that name"


@pytest.mark.parametrize("name", ["a b", "-a", "'a/b'", "ä", "''", "a" * 129])
def test_names_of_ones_own_are_simple(name):
    found = problems(f"version: 1\nbackends: {{? {name} : {{provider: toy}}}}")
    assert [each.message.partition(" of ")[0] for each in found] == ["this key must be a name"]


@pytest.mark.parametrize("name", ["gpt-4.1", "1", "true", "A_b", "a" * 128])
def test_names_that_are_taken(name):
    assert list(read(f"version: 1\nbackends: {{{name}: {{provider: toy}}}}").backends) == [name]


def test_a_choice_of_mappings_goes_by_its_tag():
    assert toy("drawing: {shape: circle, radius: 2}").drawing == Circle(radius=2.0)
    assert toy("drawings: [{shape: square, side: 4}, {shape: circle, radius: 1}]").drawings == (
        Square(side=4),
        Circle(radius=1.0),
    )
    assert toy_problem("drawing: {radius: 2}").message == "the key 'shape' is missing"
    assert toy_problem("drawing: {shape: circel, radius: 2}").hint == "did you mean 'circle'?"
    assert toy_problem("drawing: {shape: circle, radius: 1, side: 2}").message == "unknown key 'side'"
    assert toy_problem("drawing: {shape: square, side: 3}").path == "backends.it.drawing.side"
    assert toy_problem("drawing: circle").path == "backends.it.drawing"


def test_members_that_do_not_fit_together():
    assert told("version: 1\nbackends:\n  a:\n    provider: toy\n    whole: 1\n    flag: true") == [
        (6, 11, "backends.a.flag", "whole and flag exclude each other", "leave one out")
    ]
    assert toy_problem("text: trouble").message == "this text is trouble"


def test_everything_is_told_at_once_in_the_order_of_the_file():
    text = (
        "log: {level: x, format: y}\nbackends:\n  a: {provider: z}\n  b: {provider: toy, whole: w, flag: f}\nroutes: 3"
    )
    paths = [each.path for each in problems(text)]
    assert paths == [
        "",
        "log.level",
        "log.format",
        "backends.a.provider",
        "backends.b.whole",
        "backends.b.flag",
        "routes",
    ]
