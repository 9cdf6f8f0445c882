"""`forehearth config check` and `config schema`."""

import json

import jsonschema
import pytest

from forehearth.cli.main import run
from tests.conftest import ROOT

GOOD = "version: 1\nbackends: {s: {provider: scripted}}\ndeployments: {d: {backends: [{backend: s}]}}\n"
BAD = "version: 1\nbackends: {s: {provider: scriptd}}\nport: 1\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys, *arguments):
    status = run(["config", *arguments])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_a_file_that_can_be_used(folder, capsys):
    (folder / "a.yaml").write_text(GOOD)
    assert said(capsys, "check", "a.yaml") == (
        0,
        "a.yaml: can be used. It has 1 backend, 1 deployment and 0 routes.\n",
        "",
    )
    status, out, _ = said(capsys, "check", "--json", "a.yaml")
    assert status == 0
    assert json.loads(out) == {
        "file": "a.yaml",
        "valid": True,
        "problems": [],
        "backends": ["s"],
        "deployments": ["d"],
        "routes": [],
    }


def test_a_file_that_cannot(folder, capsys):
    (folder / "a.yaml").write_text(BAD)
    told = (
        "a.yaml:2:26: backends.s.provider: there is no provider 'scriptd'\n"
        "    did you mean 'scripted'?\n"
        "a.yaml:3:1: port: unknown key 'port'\n"
        "    it belongs under 'server'\n"
        "2 problems.\n"
    )
    assert said(capsys, "check", "a.yaml") == (3, "", told)
    status, out, err = said(capsys, "check", "a.yaml", "--json")
    assert (status, err) == (3, "")
    answer = json.loads(out)
    assert (answer["file"], answer["valid"]) == ("a.yaml", False)
    assert answer["problems"][1] == {
        "file": "a.yaml",
        "line": 3,
        "column": 1,
        "path": "port",
        "message": "unknown key 'port'",
        "hint": "it belongs under 'server'",
    }


def test_the_usual_file_and_the_built_in_configuration(folder, capsys):
    status, out, _ = said(capsys, "check")
    assert status == 0
    assert out.startswith("built-in configuration (there is no forehearth.yaml here): can be used.")
    (folder / "forehearth.yaml").write_text(GOOD)
    status, out, _ = said(capsys, "check")
    assert out.startswith(f"{folder}/forehearth.yaml: can be used.")


def test_a_file_that_is_not_there(folder, capsys):
    status, out, err = said(capsys, "check", "none.yaml")
    assert (status, out) == (3, "")
    assert err.startswith("none.yaml: the file cannot be read: No such file or directory\n")


def test_secrets_come_from_the_environment(folder, capsys, monkeypatch):
    (folder / "a.yaml").write_text(
        "version: 1\nbackends: {a: {provider: azure_openai, endpoint: 'https://a.example', api_key: '${A_TEST_KEY}'}}"
    )
    monkeypatch.delenv("A_TEST_KEY", raising=False)
    assert "the environment variable A_TEST_KEY is not set" in said(capsys, "check", "a.yaml")[2]
    monkeypatch.setenv("A_TEST_KEY", "some-key")
    assert said(capsys, "check", "a.yaml")[0] == 0


def test_the_schema(capsys):
    status, out, err = said(capsys, "schema")
    assert (status, err) == (0, "")
    schema = json.loads(out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "https://json-schema.org/draft/2020-12/schema" in schema["$schema"]


def test_help_has_examples(capsys):
    for command in ("check", "schema"):
        status, out, _ = said(capsys, command, "--help")
        assert status == 0
        assert f"\n    forehearth config {command}" in out.partition("xample")[2]
        assert "\\b" not in out


def test_the_badly_broken_file_in_full(capsys, monkeypatch):
    golden = ROOT / "tests/unit/config/golden"
    monkeypatch.chdir(golden)
    monkeypatch.setenv("VLLM_API_KEY", "some-key")
    for name in ("VLLM_KEY", "AZURE_KEY"):
        monkeypatch.delenv(name, raising=False)
    status, _, err = said(capsys, "check", "broken.yaml")
    assert status == 3
    assert err.replace(str(golden), "FOLDER") == (golden / "broken.txt").read_text()
