"""`forehearth status`: the table, and what is said where no server works."""

import json

import pytest

from forehearth.cli import status as command
from forehearth.cli.main import run

CONFIG = """
version: 1
backends:
  script: {provider: scripted}
deployments:
  chat: {backends: [{backend: script}]}
"""
BACKEND = {
    "deployment": "chat",
    "backend": "west",
    "model": "gpt-4o-ptu",
    "priority": 1,
    "weight": 1,
    "state": "ready",
    "why": None,
    "until": None,
    "inFlight": 0,
    "calls": 7,
    "failures": 0,
    "busy": 0,
    "firstByteSeconds": None,
}


def row(now=1_800_000_000.0, **rest):
    return command._row(BACKEND | rest, now)


def test_a_backend_that_is_well():
    assert row() == ("chat", "west", "gpt-4o-ptu", "1", "ready", "-", "0", "7", "0", "0", "-")
    assert row(firstByteSeconds=0.25)[-1] == "0.250 s"


def test_one_that_is_left_out_with_the_seconds_that_are_left():
    shown = row(state="ejected", why="backend_unreachable", until="2027-01-15T08:00:12.4Z", failures=3)
    assert shown[4:9] == ("ejected 12 s", "backend_unreachable", "0", "7", "3")
    assert row(state="due", until="2027-01-15T07:59:59Z")[4] == "due 0 s"


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_where_no_server_works_nobody_knows(tmp_path, monkeypatch, capsys, form):
    for name in ("FOREHEARTH_URL", "FOREHEARTH_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "forehearth.yaml").write_text(CONFIG)
    options = ("--data-dir", str(tmp_path / "data"), "--config", str(tmp_path / "forehearth.yaml"))
    assert run(["status", *options, *form]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "No server works here" in (json.loads(printed.err)["error"]["message"] if form else printed.err)
