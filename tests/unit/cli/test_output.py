"""How commands speak: what others said commands no terminal."""

import pytest

from forehearth.cli.output import Exit, say_error


def test_what_a_server_said_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say_error("400: no\x1b[2J\x9b", "Look\tthere.", Exit.FAILED, as_json=False)
    assert capsys.readouterr().err == "forehearth: 400: no\ufffd[2J\ufffd\n    Look\tthere.\n"
