"""The schema for editors takes what the loader takes, refuses what it refuses, and says what each key is for."""

import json

import jsonschema
import pytest
import yaml

from forehearth.config.json_schema import schema
from forehearth.config.loader import BUILT_IN, load
from forehearth.registry import PROVIDER_SETTINGS
from tests.conftest import ROOT
from tests.unit.config.reading import problems
from tests.unit.config.toys import TOYS

EXAMPLES = sorted(ROOT.joinpath("examples").glob("*.yaml"))
SECRETS = ("AZURE_NORTH_KEY", "AZURE_OPENAI_API_KEY", "AZURE_WEST_KEY", "FOUNDRY_API_KEY")
ENVIRON = dict.fromkeys(SECRETS, "not-a-real-key")


@pytest.fixture(scope="module")
def real():
    return jsonschema.Draft202012Validator(schema(PROVIDER_SETTINGS))


@pytest.fixture(scope="module")
def toys():
    return jsonschema.Draft202012Validator(schema(TOYS))


def test_it_is_a_schema_and_json():
    jsonschema.Draft202012Validator.check_schema(json.loads(json.dumps(schema(PROVIDER_SETTINGS))))
    jsonschema.Draft202012Validator.check_schema(schema(TOYS))


def test_there_are_examples():
    names = {"azure-openai.yaml", "embedded.yaml", "scripted-faults.yaml", "vllm-beside-azure.yaml"}
    assert names <= {path.name for path in EXAMPLES}


@pytest.mark.parametrize("path", [BUILT_IN, *EXAMPLES], ids=lambda path: path.name)
def test_every_example_can_be_used_and_fits_the_schema(path, real):
    load(path, providers=PROVIDER_SETTINGS, environ=ENVIRON)
    real.validate(yaml.safe_load(path.read_text()))


BACKEND = "backends: {a: {provider: toy, %s}}"
TAKEN = [
    "log: {level: debug, format: json}",
    "server: {tls_port: null, grace_seconds: 0, workers: 64}",
    "backends: {gpt-4.1: {provider: toy}}",
    BACKEND % "maybe: null, either: x, several: [a]",
    BACKEND % "drawing: {shape: circle, radius: 0.5}, drawings: [{shape: square, side: 2}]",
    BACKEND % "anything: [1, {a: null}], by_name: {x: 1}, pair: [1, 2], unique: [1]",
    BACKEND % "worded: two, word: beta, figure: 2, colour: dark_green, other-name: 3",
    BACKEND % "secret: null, url: 'https://h:1/v1', proxy: none",
    "backends: {a: {provider: demanding, address: x}}\ndeployments: {d: {backends: [{backend: a}]}}",
]


@pytest.mark.parametrize("text", TAKEN)
def test_what_both_take(text, toys):
    text = f"version: 1\n{text}"
    assert problems(text) == []
    toys.validate(yaml.safe_load(text))


REFUSED = [
    "prot: 1",
    "server: {prot: 1}",
    "server: {tls: {cert: x}}",
    "server: {limits: {body: 1}}",
    "log: {levl: info}",
    "routes: {r: {deploymnt: d}}",
    "deployments: {d: {backends: [{backnd: a}]}}",
    "deployments: {d: {model: {typ: x}, backends: [{backend: a}]}}",
    BACKEND % "txt: x",
    BACKEND % "address: x",
    BACKEND % "drawing: {shape: circle, radius: 1, side: 2}",
    "deployments: {d: {}}",
    "deployments: {d: {backends: [{}]}}",
    "deployments: {d: {backends: []}}",
    "backends: {a: {}}",
    "backends: {a: {provider: demanding}}",
    "backends: {a: {provider: nothing}}",
    "backends: {a b: {provider: toy}}",
    BACKEND % "drawing: {radius: 1}",
    BACKEND % "drawing: {shape: blob}",
    "server: 1",
    "server: []",
    "backends: []",
    "deployments: {d: {backends: a}}",
    "deployments: {d: {backends: {backend: a}}}",
    "server: {port: http}",
    "server: {port: '80'}",
    "server: {port: 1.5}",
    "server: {port: -1}",
    "server: {port: 65536}",
    "server: {workers: 0}",
    "server: {host: 'a b'}",
    "server: {host: 'localhost:80'}",
    "server: {resource: A_B}",
    "server: {limits: {idle_seconds: 0}}",
    "server: {limits: {idle_seconds: fast}}",
    "log: {level: trace}",
    "log: {level: null}",
    "log: {format: [json]}",
    "deployments: {d: {model: {context_tokens: 0}, backends: [{backend: a}]}}",
    "deployments: {d: {model: {name: ''}, backends: [{backend: a}]}}",
    BACKEND % "flag: 'yes'",
    BACKEND % "flag: 1",
    BACKEND % "text: [x]",
    BACKEND % "text: true",
    BACKEND % "short: four",
    BACKEND % "worded: four",
    BACKEND % "word: gamma",
    BACKEND % "figure: 3",
    BACKEND % "colour: blue",
    BACKEND % "either: [x]",
    BACKEND % "several: {a: b}",
    BACKEND % "by_name: {a: b}",
    BACKEND % "pair: [1]",
    BACKEND % "pair: [1, 2, 3]",
    BACKEND % "drawing: {shape: square, side: 3}",
    BACKEND % "secret: sk-1234567890",
    BACKEND % "secret: '$NAME'",
    BACKEND % "secret: 'file:'",
    BACKEND % "url: 'ftp://h'",
    BACKEND % "url: 'http://u:p@h'",
    BACKEND % "proxy: 'socks5://h:1'",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_both_refuse(text, toys):
    text = f"version: 1\n{text}"
    assert problems(text)
    assert not toys.is_valid(yaml.safe_load(text))


@pytest.mark.parametrize("text", ["{}", "version: 2", "version: '1'", "[]", "text"])
def test_the_top_of_the_file(text, toys):
    assert problems(text)
    assert not toys.is_valid(yaml.safe_load(text))


def test_every_key_of_every_provider_says_what_it_is_for():
    written = schema(PROVIDER_SETTINGS)
    mappings = [written, *written["$defs"].values(), *written["$defs"]["Backend"]["oneOf"]]
    silent = {
        name
        for each in mappings
        for name, member in each.get("properties", {}).items()
        if "description" not in member and "$ref" not in member
    }
    assert silent == set()


def test_descriptions_and_defaults_come_from_the_source(toys):
    server = toys.schema["$defs"]["Server"]["properties"]
    assert server["port"] == {
        "type": "integer",
        "minimum": 0,
        "maximum": 65535,
        "description": "Port for http; 0 takes a free one.",
        "default": 8080,
    }
    assert toys.schema["$defs"]["Server"]["description"] == "Where the server listens, and how it stops."
    assert toys.schema["$defs"]["Circle"]["properties"]["radius"]["description"] == "Half its width."
