"""The commands in a data directory that no server holds."""

from collections.abc import Callable
from pathlib import Path

import pytest

from forehearth.cli.main import run

Said = Callable[..., tuple[int, str, str]]
"""Runs the command with these arguments: its status, and what it wrote to either stream."""


@pytest.fixture
def offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], Said]:
    """Makes it of a configuration, in a directory of its own."""
    for name in ("FOREHEARTH_URL", "FOREHEARTH_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def of(config: str) -> Said:
        (tmp_path / "forehearth.yaml").write_text(config)
        options = ("--data-dir", str(tmp_path / "data"), "--config", str(tmp_path / "forehearth.yaml"))

        def run_it(*arguments: str) -> tuple[int, str, str]:
            status = run([*arguments, *options])
            printed = capsys.readouterr()
            return status, printed.out, printed.err

        return run_it

    return of
