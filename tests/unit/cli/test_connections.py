"""`forehearth connections` in a data directory that no server holds: where credentials come from, and where they go."""

import json
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest

from forehearth.cli.main import run
from forehearth.server.data_directory import open_data_directory

CONFIG = """
version: 1
projects:
  sales:
    connections:
      given: {type: ApiKey, target: "https://given.example.com", entra: true}
"""
CANARY = "canary-3f9c-nobody-shows-this"
MADE = ("connections", "create", "search", "--type", "CognitiveSearch", "--target", "https://search.example.com")
Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("FOREHEARTH_URL", "FOREHEARTH_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "forehearth.yaml").write_text(CONFIG)
    open_data_directory(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def said(data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    def run_it(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", StringIO(stdin))
        status = run([*arguments, "--data-dir", str(data), "--config", str(data.parent / "forehearth.yaml")])
        printed = capsys.readouterr()
        assert CANARY not in printed.out + printed.err
        return status, printed.out, printed.err

    return run_it


def holds_canary(data: Path) -> list[Path]:
    files = [each for each in data.rglob("*") if each.is_file()]
    assert any(each.name == "store.db" for each in files)
    return [each for each in files if CANARY.encode() in each.read_bytes()]


@pytest.mark.parametrize("way", ["stdin", "variable", "file"])
def test_a_credential_comes_from_anywhere_but_an_argument_and_is_nowhere_to_be_read(
    said: Said, data: Path, monkeypatch: pytest.MonkeyPatch, way: str
):
    monkeypatch.setenv("SEARCH_KEY", CANARY)
    (data.parent / "key.txt").write_text(f"{CANARY}\n")
    source = {"stdin": "-", "variable": "${SEARCH_KEY}", "file": "file:key.txt"}[way]
    status, out, err = said(*MADE, "--api-key", source, stdin=f"{CANARY}\n")
    assert (status, err) == (0, "")
    assert "credentials  ApiKey" in out
    assert holds_canary(data) == []
    said("connections", "rotate-key")
    assert holds_canary(data) == []
    found = json.loads(said("audit", "--json")[1])
    assert [each["action"] for each in found] == ["connections.reseal", "connections.create"]


@pytest.mark.parametrize("source", [CANARY, "env:SEARCH_KEY", "${NOT_SET}", "file:none.txt", ""])
def test_what_is_no_way_to_have_a_credential_is_refused_and_not_said_back(said: Said, source: str):
    status, out, err = said(*MADE, "--api-key", source)
    assert (status, out) == (2, "")
    assert "standard input" in err


@pytest.mark.parametrize("stdin", ["", "\n", "x" * 16_385])
def test_a_credential_has_a_length(said: Said, stdin: str):
    status, _, err = said(*MADE, "--api-key", "-", stdin=stdin)
    assert (status, "1 to 16384 characters" in err) == (2, True)


def test_list_show_replace_and_delete(said: Said):
    custom = ("--custom", "one=-", "--metadata", "team=a=b", "--project", "sales")
    assert said(*MADE, *custom, stdin="secret")[0] == 0
    assert said("connections", "list", "--project", "sales")[1].splitlines() == [
        "NAME    TYPE             TARGET                      CREDENTIALS  DEFAULT  SOURCE",
        "given   ApiKey           https://given.example.com   AAD          no       configuration",
        "search  CognitiveSearch  https://search.example.com  CustomKeys   no       admin",
    ]
    shown = said("connections", "show", "search", "--project", "sales")[1]
    assert "metadata     team=a=b" in shown
    assert said(*MADE, "--entra", "--project", "sales")[0] == 1
    assert said(*MADE, "--entra", "--default", "--project", "sales", "--replace")[0] == 0
    found = json.loads(said("connections", "show", "search", "--project", "sales", "--json")[1])
    assert (found["credentials"], found["default"], found["metadata"]) == ("AAD", True, {})
    assert said("connections", "delete", "search", "--project", "sales")[0] == 0
    assert said("connections", "delete", "given", "--project", "sales")[0] == 1
    assert len(json.loads(said("connections", "list", "--project", "sales", "--json")[1])) == 1


def test_a_name_and_its_text_are_joined(said: Said):
    status, _, err = said(*MADE, "--metadata", "team")
    assert (status, "joined by '='" in err) == (2, True)


def test_a_new_key_reads_what_the_old_one_sealed(said: Said, data: Path):
    said(*MADE, "--api-key", "-", stdin=CANARY)
    assert said("connections", "rotate-key")[1] == "1 connections are encrypted anew, with a new key\n"
    assert len((data / "keys" / "encryption").read_text().split()) == 2
    assert json.loads(said("connections", "rotate-key", "--json")[1]) == {
        "newKey": True,
        "resealed": 1,
        "unreadable": 0,
    }


def test_without_its_key_nothing_opens_and_that_is_told(said: Said, data: Path):
    said(*MADE, "--api-key", "-", stdin=CANARY)
    (data / "keys" / "encryption").unlink()
    status, out, err = said("connections", "rotate-key")
    assert (status, "0 connections" in out, "1 cannot be read" in err) == (1, True, True)
