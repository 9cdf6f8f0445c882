"""`forehearth cache`: the table, and what is said where no server works."""

import pytest

from forehearth.cli import cache as command
from forehearth.cli.main import run

CONFIG = """
version: 1
backends:
  script: {provider: scripted}
deployments:
  chat: {backends: [{backend: script}], cache: {exact: {}}}
"""
CACHE = {
    "deployment": "chat",
    "exact": True,
    "semantic": "shadow",
    "entries": 12,
    "bytes": 3_400_000,
    "hits": 5,
    "shadowHits": 6,
    "misses": 7,
    "refusedByGuards": 8,
    "hitRate": 0.2778,
}


def test_the_table():
    assert command._row(CACHE) == ("chat", "on", "shadow", "12", "3.4", "27.8%", "5", "6", "7", "8")
    assert command._row(CACHE | {"hitRate": None, "exact": False})[1:6] == ("off", "shadow", "12", "3.4", "-")


@pytest.mark.parametrize("arguments", [["show"], ["show", "--json"], ["purge"]])
def test_where_no_server_works_there_is_no_cache(tmp_path, monkeypatch, capsys, arguments):
    for name in ("FOREHEARTH_URL", "FOREHEARTH_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "forehearth.yaml").write_text(CONFIG)
    options = ("--data-dir", str(tmp_path / "data"), "--config", str(tmp_path / "forehearth.yaml"))
    assert run(["cache", *arguments, *options]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "No server works here" in printed.err
