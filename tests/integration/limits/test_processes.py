"""Limits are exact between processes too, also when one of them is killed; and what is left is less than one call."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.unit.accounting.limited import a_call

CALLERS, CALLS = 200, 50
SEEDS = int(os.environ.get("FOREHEARTH_LIMIT_SEEDS", "1"))
NEED = len(a_call(max_tokens=200).body) + 64 + 200
LIMIT = NEED * CALLS

Start = Callable[[str, int], subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[bytes]] = []

    def worker(name: str, workers: int) -> subprocess.Popen[bytes]:
        module = "tests.integration.limits.limited_worker"
        figures = (str(workers), str(CALLERS // workers), str(LIMIT))
        process = subprocess.Popen([sys.executable, "-m", module, str(tmp_path), name, *figures], cwd=ROOT)
        running.append(process)
        return process

    yield worker
    for process in running:
        process.kill()
        process.wait()


def used(folder: Path) -> int:
    """What the host counted, whichever process it served."""
    return sum(int(line) for log in folder.glob("*.log") for line in log.read_text().splitlines())


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("workers", [2, 4])
def test_a_budget_is_used_up_and_not_overrun(seed: int, workers: int, start: Start, tmp_path: Path) -> None:
    processes = [start(f"{seed}-{index}", workers) for index in range(workers)]
    assert [process.wait(timeout=60) for process in processes] == [0] * workers
    assert LIMIT - NEED - LIMIT // 100 < used(tmp_path) <= LIMIT


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_process_is_killed(seed: int, start: Start, tmp_path: Path) -> None:
    processes = [start(f"{seed}-{index}", 4) for index in range(4)]
    logs = [tmp_path / f"{seed}-{index}.log" for index in range(4)]
    patience = time.monotonic() + 30
    while not (begun := [log for log in logs if log.exists() and log.stat().st_size]):
        assert time.monotonic() < patience
        time.sleep(0.001)
    victim = processes[logs.index(begun[0])]
    victim.send_signal(signal.SIGKILL)
    ends = [process.wait(timeout=60) for process in processes]
    assert ends == [-signal.SIGKILL if process is victim else 0 for process in processes]
    assert 0 < used(tmp_path) <= LIMIT
