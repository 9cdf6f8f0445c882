"""Whom commands ask, with which key, and what they say when that fails."""

import pytest

from forehearth.cli.admin_client import Remote, refusal
from forehearth.cli.main import run
from forehearth.cli.output import CommandFailed, Exit
from forehearth.core.secret import Secret
from forehearth.identity.key_text import new_key
from forehearth.server.data_directory import open_data_directory, write_private

KEY = new_key(bytes).reveal()


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    for name in ("FOREHEARTH_URL", "FOREHEARTH_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    def run_it(*arguments):
        status = run(["keys", "list", *arguments])
        printed = capsys.readouterr()
        assert printed.out == ""
        return status, printed.err

    return run_it


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8080",
        "ftp://localhost",
        "http://",
        "http://user:pw@localhost",
        "http://localhost?x=1",
        "http://h:99999",
    ],
)
def test_what_is_no_address(url):
    with pytest.raises(CommandFailed, match="no address of a server") as refused:
        Remote(url, Secret(KEY))
    assert refused.value.exit_code is Exit.USAGE
    assert "pw" not in refused.value.message


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (KEY[:-1] + ("A" if KEY[-1] != "A" else "B"), "mistyped"),
        ("a b", "characters that no key has"),
        ("", "characters that no key has"),
        ("x\r\nhost: evil", "characters that no key has"),
        ("schlüssel", "characters that no key has"),
    ],
)
def test_a_key_that_cannot_be_one_is_not_sent(key, why):
    with pytest.raises(CommandFailed, match=why) as refused:
        Remote("http://localhost:1", Secret(key))
    assert not key or key not in refused.value.message + refused.value.remedy


@pytest.mark.parametrize(
    ("url", "clear"),
    [
        ("http://127.0.0.1:8080", False),
        ("http://localhost", False),
        ("http://[::1]:8080", False),
        ("https://models.example.com", False),
        ("http://models.example.com", True),
        ("http://10.0.0.1:8080", True),
        ("http://127.0.0.1.example.com", True),
    ],
)
def test_a_key_in_the_clear_is_noticed(url, clear):
    assert Remote(url, Secret(KEY)).is_in_the_clear is clear


@pytest.mark.parametrize(
    ("status", "answer", "message", "remedy"),
    [
        (400, {"error": {"code": "x", "message": "Say it otherwise."}}, "Say it otherwise", ""),
        (401, {"error": {"message": "Who are you?"}}, "Who are you?", "FOREHEARTH_API_KEY"),
        (403, {"error": {"message": "No."}}, "No", "--admin"),
        (500, {"error": "odd"}, "the server answered 500", ""),
        (500, [], "the server answered 500", ""),
    ],
)
def test_a_refusal_is_said_in_the_servers_words(status, answer, message, remedy):
    error = refusal(status, answer)
    assert error.message == message
    assert remedy in error.remedy


def test_nobody_answers(said):
    status, err = said("--url", "http://127.0.0.1:1", "--key", KEY)
    assert status == 1
    assert "no server answers at http://127.0.0.1:1" in err
    assert KEY not in err


def test_no_key_at_all(said):
    status, err = said("--url", "http://127.0.0.1:1")
    assert status == 2
    assert "has no development key" in err
    assert "--key or FOREHEARTH_API_KEY" in err
    assert "'forehearth serve'" in err


def test_a_development_key_that_others_can_read(said, tmp_path):
    data = open_data_directory(tmp_path / "forehearth")
    write_private(data.keys / "development", KEY.encode())
    (data.keys / "development").chmod(0o644)
    status, err = said("--url", "http://127.0.0.1:1")
    assert status == 3
    assert "chmod 600" in err
    assert KEY not in err


def test_the_server_that_told_the_directory_where_it_is_is_asked(said, tmp_path):
    data = open_data_directory(tmp_path / "forehearth")
    write_private(data.keys / "development", KEY.encode())
    (data.run / "addresses").write_text("http://127.0.0.1:2\nhttps://localhost:3\n")
    assert "no server answers at http://127.0.0.1:2" in said()[1]
    assert "no server answers at http://127.0.0.1:4" in said("--url", "http://127.0.0.1:4")[1]


def test_the_port_that_has_admin_is_asked_where_the_server_told_of_one(said, tmp_path):
    data = open_data_directory(tmp_path / "forehearth")
    write_private(data.keys / "development", KEY.encode())
    (data.run / "addresses").write_text("http://127.0.0.1:2\n")
    (data.run / "admin_address").write_text("http://127.0.0.1:3\n")
    assert "no server answers at http://127.0.0.1:3" in said()[1]


def test_a_variable_names_server_and_key(said, monkeypatch):
    monkeypatch.setenv("FOREHEARTH_URL", "http://127.0.0.1:5")
    monkeypatch.setenv("FOREHEARTH_API_KEY", KEY)
    assert "no server answers at http://127.0.0.1:5" in said()[1]
