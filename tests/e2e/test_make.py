"""The Makefile: it tells what there is, hands its options to the server, and leaves Ctrl-C to it without a word."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forehearth_server import HTTP, HTTPS, status

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not on this machine")

CONFIG = """\
version: 1
backends:
  script:
    provider: scripted
deployments:
  chat:
    backends: [{backend: script}]
"""


@pytest.fixture
def checkout(tmp_path: Path, repository_root: Path) -> Path:
    """A folder where everything is installed already: by the environment that runs this test."""
    shutil.copy(repository_root / "Makefile", tmp_path)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "install").write_text("#!/bin/sh\n")
    (tmp_path / "scripts" / "install").chmod(0o755)
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parent.parent)
    (tmp_path / "forehearth.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def running(checkout: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`make run` in the foreground of a terminal of its own, ready to answer."""
    variables = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    variables |= {"PORT": "0", "XDG_DATA_HOME": str(checkout / "data")}
    with (checkout / "output").open("wb") as output:
        process = subprocess.Popen(
            ["make", "run", "TLS_PORT=0", "ARGS=--workers 1"],
            cwd=checkout,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not is_ready(checkout):
            assert process.poll() is None, (checkout / "output").read_text()
            time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def is_ready(checkout: Path) -> bool:
    found = HTTP.search((checkout / "output").read_text())
    return bool(found) and status(f"{found[0]}/health/ready") == 200


def test_make_alone_lists_every_target(checkout: Path) -> None:
    text = (checkout / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", text, re.MULTILINE))
    listed = subprocess.run(["make"], cwd=checkout, capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in listed.splitlines()} == targets
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == targets


def test_the_options_reach_the_server(running: subprocess.Popen[bytes], checkout: Path) -> None:
    ports = [int(found[1]) for found in (p.search((checkout / "output").read_text()) for p in (HTTP, HTTPS)) if found]
    assert len(ports) == 2
    assert not {8080, 8443} & set(ports)
    assert running.poll() is None


@pytest.mark.parametrize(
    ("number", "to_all"), [(signal.SIGINT, True), (signal.SIGTERM, False)], ids=["Ctrl-C", "a polite kill of make"]
)
def test_it_ends_at_once_and_without_a_word(
    running: subprocess.Popen[bytes], checkout: Path, number: signal.Signals, *, to_all: bool
) -> None:
    began = time.monotonic()
    (os.killpg if to_all else os.kill)(running.pid, number)
    running.wait(20)
    assert time.monotonic() - began < 5
    assert "***" not in (checkout / "output").read_text()
