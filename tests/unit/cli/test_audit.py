"""`forehearth audit` in a data directory that no server holds."""

import json
import os

import pytest

CONFIG = """
version: 1
backends:
  script: {provider: scripted}
deployments:
  chat: {backends: [{backend: script}]}
"""


@pytest.fixture
def said(offline):
    return offline(CONFIG)


def found(said, *arguments):
    status, out, err = said("audit", "--json", *arguments)
    assert (status, err) == (0, "")
    return json.loads(out)


def test_nothing_was_done_yet(said):
    assert said("audit") == (0, "", "")
    assert found(said) == []


def test_what_was_done_stands_there_the_newest_first(said):
    said("keys", "create", "shop", "--deployment", "chat")
    said("keys", "rotate", "none")
    status, out, err = said("audit")
    assert (status, err) == (0, "")
    failed, done = out.splitlines()
    assert "keys.create  key_" in done
    assert "  done  command-" in done
    assert f"by uid:{os.getuid()}; shop; deployments=chat" in done
    assert "keys.rotate  none  failed (404)" in failed


def test_scripts_get_all_that_is_known(said):
    said("keys", "create", "shop")
    (record,) = found(said)
    assert (record["action"], record["status"], record["allowed"]) == ("keys.create", 201, True)
    assert record["target"].startswith("key_")
    assert record["requestId"].startswith("command-")
    assert record["actorKind"] == "user"


def test_the_log_is_searched(said):
    said("keys", "create", "shop")
    said("keys", "revoke", "shop")
    (actor,) = {each["actor"] for each in found(said)}
    assert [each["action"] for each in found(said, "--action", "keys.revoke")] == ["keys.revoke"]
    assert len(found(said, "--actor", actor, "--since", "1h")) == 2
    assert found(said, "--actor", "nobody") == []
    assert found(said, "--since", "2099-01-01") == []


def test_more_records_than_a_page_has_are_all_found(said):
    for number in range(3):
        said("keys", "revoke", f"none-{number}")
    assert [each["target"] for each in found(said)] == ["none-2", "none-1", "none-0"]
    assert [each["target"] for each in found(said, "--limit", "2")] == ["none-2", "none-1"]


@pytest.mark.parametrize("arguments", [["--since", "soon"], ["--limit", "0"], ["--limit", "many"], ["extra"]])
def test_wrong_usage(said, arguments):
    status, out, err = said("audit", *arguments)
    assert (status, out) == (2, "")
    assert "Traceback" not in err
