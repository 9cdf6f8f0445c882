"""`forehearth login` and `forehearth token` where there is nothing to ask; with a server they are tested beside it."""

from pathlib import Path

import pytest

from forehearth.cli.login import login
from forehearth.cli.output import CommandFailed, Exit
from forehearth.cli.token import DEFAULT_ORIGINS, issuer_of, token
from forehearth.core.errors import Misconfigured
from forehearth.identity.development.installation import ensure
from forehearth.server.data_directory import open_data_directory, write_private
from tests.unit.identity.development.cast import INSTALLATION

COMMANDS = pytest.mark.parametrize("command", [login, token], ids=["login", "token"])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory in which a server with a development issuer has worked."""
    monkeypatch.delenv("FOREHEARTH_URL", raising=False)
    data = open_data_directory(tmp_path / "data")
    ensure(data.keys, write_private, lambda: INSTALLATION.key.reveal().encode())
    return data.path


@COMMANDS
def test_a_directory_without_an_issuer(command, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(CommandFailed, match="no server that issues tokens") as caught:
        command.main(["--data-dir", str(tmp_path / "none")], standalone_mode=False, help_option_names=["-h", "--help"])
    assert "--dev-issuer" in caught.value.remedy
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "none").exists()


@COMMANDS
def test_a_secret_that_others_can_read(command, folder: Path):
    (folder / "keys" / "issuer").chmod(0o644)
    with pytest.raises(Misconfigured, match="chmod 600"):
        command.main(["--data-dir", str(folder)], standalone_mode=False, help_option_names=["-h", "--help"])


@COMMANDS
@pytest.mark.parametrize(
    "url",
    [
        "https://contoso.services.ai.azure.com",
        "http://192.168.1.7:8080",
        "http://localhost.evil.example:8080",
        "http://0.0.0.0:8080",
    ],
)
def test_the_secret_goes_to_no_other_machine(command, folder: Path, url: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(CommandFailed, match="only asked on this machine") as caught:
        command.main(
            ["--data-dir", str(folder), "--url", url], standalone_mode=False, help_option_names=["-h", "--help"]
        )
    assert caught.value.exit_code is Exit.USAGE
    assert capsys.readouterr().out == ""


@COMMANDS
@pytest.mark.parametrize("url", ["localhost:8080", "ftp://localhost", "http://user:pw@localhost", "http://localhost:x"])
def test_an_address_that_is_none(command, folder: Path, url: str):
    with pytest.raises(Misconfigured) as caught:
        command.main(
            ["--data-dir", str(folder), "--url", url], standalone_mode=False, help_option_names=["-h", "--help"]
        )
    assert "pw" not in caught.value.message


def test_where_the_server_is(folder: Path, monkeypatch: pytest.MonkeyPatch):
    assert issuer_of(folder, None).origins == DEFAULT_ORIGINS
    monkeypatch.setenv("FOREHEARTH_URL", "http://127.0.0.1:1/")
    assert issuer_of(folder, None).origins == ("http://127.0.0.1:1",)
    (folder / "run" / "addresses").write_text("http://127.0.0.1:2\nhttps://localhost:3\n")
    found = issuer_of(folder, None)
    assert (found.origin, found.secure_origin) == ("http://127.0.0.1:2", "https://localhost:3")
    asked = issuer_of(folder, "http://[::1]:4/")
    assert (asked.origin, asked.secure_origin) == ("http://[::1]:4", None)


def test_a_recorded_address_is_believed_no_more_than_a_given_one(folder: Path):
    (folder / "run" / "addresses").write_text("http://127.0.0.1:2\nhttps://evil.example\n")
    with pytest.raises(CommandFailed, match="only asked on this machine"):
        issuer_of(folder, None)


def test_the_secret_is_not_shown(folder: Path):
    issuer = issuer_of(folder, None)
    assert issuer.installation.secret.reveal() not in repr(issuer)
    assert issuer.header("developer").reveal() not in repr(issuer)


@COMMANDS
@pytest.mark.parametrize("name", ["", "é", "a b", "maria\r\nX-Evil: 1", "-x", "x" * 200])
def test_what_is_nobodys_name(command, folder: Path, name: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(CommandFailed, match="no user has such a name"):
        command.main(
            ["--data-dir", str(folder), f"--user={name}"], standalone_mode=False, help_option_names=["-h", "--help"]
        )
    assert capsys.readouterr().out == ""
