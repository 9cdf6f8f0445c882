"""Whatever stands in the file: settings come out or `ConfigError`, never another exception, and soon."""

from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from forehearth.config.loader import load
from forehearth.config.problems import ConfigError, Problem
from forehearth.core.settings import Settings
from forehearth.registry import PROVIDER_SETTINGS

PIECES = [
    *map(chr, range(32, 127)),
    *[
        "\n",
        "\t",
        "\n  ",
        "\n    ",
        ": ",
        "- ",
        "\n- ",
        "---",
        "...",
        "<<: ",
        "&a ",
        "*a",
        "!!str ",
        "!x ",
        "|\n ",
        ">-\n ",
    ],
    *["%YAML 1.1\n", f"%YAML 1.{'9' * 5000}\n---\n", "\\x", "\\u00", '"\\UFFFFFFFF"', '"\\ud800"', "${A}", "file:"],
    *["\ufeff", "\u2028", "\x85", "\x00", "\ud800", "é", "🜂", "0", "1e9", "yes", "null", "true", "${NOT_SET}"],
    *["version: 1\n", "server:\n", "port", "8080", "tls", "backends:\n", "one", "provider", "scripted", "azure_openai"],
    *["deployments:\n", "routes:\n", "model", "backend", "api_key", "log: {level: info}\n"],
]
YAML_LIKE = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)

WHOLE = Path(__file__).with_name("golden").joinpath("broken.yaml").read_text()


@st.composite
def damaged(draw):
    """A real configuration with some of it gone, doubled or replaced."""
    text = WHOLE
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(text)))
        end = begin + draw(st.integers(0, 30))
        text = text[:begin] + draw(YAML_LIKE) * draw(st.integers(0, 2)) + text[end:]
    begin = draw(st.integers(0, len(text)))
    return text[begin : begin + 600]


WORDS = """version server log backends deployments routes provider model backend port tls limits level rules when
answer api_key connection proxy endpoint scripted x"""
KEYS = st.sampled_from(WORDS.split())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def problems(source):
    try:
        found = load(source, providers=PROVIDER_SETTINGS, environ={"A": "a-secret-value"})
    except ConfigError as error:
        return error.problems
    return None if isinstance(found, Settings) else []


def check(source, least_line=1):
    found = problems(source)
    assert found is None or len(found) > 0
    for problem in found or ():
        assert isinstance(problem, Problem)
        assert problem.line >= least_line
        assert problem.column >= least_line
        assert problem.message
        assert str(problem).replace("\n    ", " ").isprintable()
        assert "a-secret-value" not in str(problem)


@settings(max_examples=10_000, deadline=2_000)
@given(YAML_LIKE)
def test_yaml_like_text(text):
    check(text)


@settings(max_examples=1_000, deadline=2_000)
@given(damaged())
def test_a_damaged_configuration(text):
    check(text)


@settings(max_examples=1_000, deadline=2_000)
@given(VALUES)
def test_values_in_wrong_places(value):
    check(yaml.safe_dump(value, allow_unicode=True))


@settings(max_examples=1_000, deadline=2_000)
@given(st.binary(max_size=60))
def test_bytes(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    check(path, least_line=0)
