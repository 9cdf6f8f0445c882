"""`forehearth models list` and `models pull`."""

import json

import pytest

from forehearth.cli.main import run


@pytest.fixture
def said(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("FOREHEARTH_MODELS", str(tmp_path / "cache"))

    def run_it(*arguments):
        status = run(["models", *arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run_it


def test_the_list_says_what_is_not_here_yet(said):
    status, out, err = said("list")
    assert (status, err) == (0, "")
    assert "smollm2-135m-instruct" in out
    assert out.count("to be fetched") == 4
    assert "cache" in out.splitlines()[-1]


def test_the_list_for_scripts(said):
    status, out, _ = said("list", "--json")
    assert status == 0
    listed = {entry["name"]: entry for entry in json.loads(out)}
    assert listed["all-minilm-l6-v2"]["kind"] == "embeddings"
    assert listed["all-minilm-l6-v2"]["installed"] is False
    assert listed["smollm2-135m-instruct"]["bytes"] > 90_000_000


def test_a_model_that_is_in_no_catalogue(said):
    status, _, err = said("pull", "nope")
    assert status == 2
    assert "smollm2-135m-instruct" in err


def test_a_folder_without_the_weights(said, tmp_path):
    (tmp_path / "empty").mkdir()
    status, out, err = said("pull", "all-minilm-l6-v2", "--from", str(tmp_path / "empty"))
    assert (status, out) == (3, "")
    assert "all-minilm-l6-v2" in err
    assert "Traceback" not in err
