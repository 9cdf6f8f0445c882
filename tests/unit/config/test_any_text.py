"""Whatever stands in the file: settings come out or `ConfigError`, never another exception, and soon."""

import re
import time
from pathlib import Path

import yaml

from forehearth.config.loader import load
from forehearth.config.problems import ConfigError, Problem
from forehearth.core.settings import Settings
from forehearth.registry import PROVIDER_SETTINGS
from tests.unit.dice import by_dice, some_text

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
SECTIONS = [
    "server: {port: 8080, host: localhost}\n",
    "log:\n  level: info\n",
    "backends:\n  one: {provider: scripted, delay: 0}\n",
    "deployments:\n  d: {backends: [{backend: one}]}\n",
    "routes: {r: {deployment: d}}\n",
    "# ${A} &a *a\n",
]
WHOLE = Path(__file__).with_name("golden").joinpath("broken.yaml").read_text()


def yaml_like(dice, most=20):
    return "".join(dice.choices(PIECES, k=dice.randrange(most + 1)))


def nearly_right(dice):
    """Sections of a good configuration, some of their letters replaced."""
    text = "".join(dice.sample(SECTIONS, dice.randrange(3)))
    for _ in range(dice.randrange(3)):
        begin = dice.randrange(len(text) + 1)
        text = text[:begin] + yaml_like(dice, 1) + text[begin + dice.randrange(3) :]
    return "version: 1\n" + text


def damaged(dice):
    """A real configuration with some of it gone, doubled or replaced."""
    text = WHOLE
    for _ in range(dice.randint(1, 2)):
        begin = dice.randrange(len(text))
        text = text[:begin] + yaml_like(dice, 2) * dice.randrange(3) + text[begin + dice.randrange(31) :]
    begin = dice.choice([match.start() for match in re.finditer(r"^(?=\S)", text, re.MULTILINE)])
    return text[begin : begin + 400]


WORDS = """version server log backends deployments routes provider model backend port tls limits level rules when
answer api_key connection proxy endpoint scripted x"""
KEYS = WORDS.split()
ODD_VALUES = [None, True, False, 0, -1, 2**70, 1.5, -0.0, 5e-324, float("inf"), float("nan"), "", "x", "1", "null"]


def some_value(dice, depth=3):
    kind = dice.randrange(5 if depth else 3)
    if kind == 4:
        return [some_value(dice, depth - 1) for _ in range(dice.randrange(4))]
    if kind == 3:
        return {key: some_value(dice, depth - 1) for key in dice.choices(KEYS, k=dice.randrange(5))}
    return (dice.choice(ODD_VALUES), some_text(dice, 5), dice.choice(KEYS))[kind]


def problems(source):
    try:
        found = load(source, providers=PROVIDER_SETTINGS, environ={"A": "a-secret-value"})
    except ConfigError as error:
        return error.problems
    return None if isinstance(found, Settings) else []


def check(source, least_line=1):
    """Whether it is taken, is bound but does not fit, or cannot be read as YAML; soon, and never anything else."""
    begun = time.thread_time()  # what it takes itself, whatever else the machine does
    found = problems(source)
    assert time.thread_time() - begun < 2
    assert found is None or len(found) > 0
    for problem in found or ():
        assert isinstance(problem, Problem)
        assert problem.line >= least_line
        assert problem.column >= least_line
        assert problem.message
        assert str(problem).replace("\n    ", " ").isprintable()
        assert "a-secret-value" not in str(problem)
    if found is None:
        return "taken"
    return "misfit" if any(problem.path for problem in found) else "unreadable"


@by_dice(taken=0.05, misfit=0.05, unreadable=0.4)
def test_yaml_like_text(dice):
    return check(yaml_like(dice) if dice.random() < 0.8 else nearly_right(dice))


@by_dice(1_000, misfit=0.4, unreadable=0.15)
def test_a_damaged_configuration(dice):
    return check(damaged(dice))


@by_dice(1_000, misfit=0.1, unreadable=0.1)
def test_values_in_wrong_places(dice):
    return check(yaml.dump(some_value(dice), Dumper=yaml.CSafeDumper, allow_unicode=True))


def test_bytes(tmp_path):
    path = tmp_path / "any.yaml"

    @by_dice(1_000, unreadable=0.9)
    def judge(dice):
        path.write_bytes(
            dice.randbytes(dice.randrange(61))
            if dice.random() < 0.5
            else yaml_like(dice, 4).encode(errors="surrogatepass")
        )
        return check(path, least_line=0)

    judge()
