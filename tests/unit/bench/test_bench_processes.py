import os
import sys

import pytest

from bench.errors import FailedError
from bench.processes import announced_ports, running

_BUSY_CHILD = """\
import os, time
print("something first")
print("ports 12 345", flush=True)
if os.fork() == 0:
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    os._exit(0)
os.wait()
print("done", flush=True)
time.sleep(60)
"""


def a_core():
    return min(os.sched_getaffinity(0))


def test_the_tree_is_measured_and_gone_at_the_end(tmp_path):
    command = [sys.executable, "-c", _BUSY_CHILD]
    with running(command, core=a_core(), folder=tmp_path, variables={}) as started:
        assert announced_ports(started, patience=30) == [12, 345]
        while "done" not in started.log.read_text():
            assert not started.ended()
        # The child has ended and was waited for: its time must still be in the tree's.
        assert started.cpu_seconds() >= 0.18
        assert started.rss_mib() > 1
        pid = started.process.pid
        assert started.tree() == [pid]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_program_that_ends_early_is_told_with_its_last_words(tmp_path):
    command = [sys.executable, "-c", "print('no configuration'); raise SystemExit(3)"]
    with (
        running(command, core=a_core(), folder=tmp_path, variables={}) as started,
        pytest.raises(FailedError, match="no configuration"),
    ):
        announced_ports(started, patience=30)


def test_only_a_small_environment_reaches_a_stack(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    command = [sys.executable, "-c", "import os; print('HTTPS_PROXY' in os.environ, os.environ['GIVEN'])"]
    with running(command, core=a_core(), folder=tmp_path, variables={"GIVEN": "x"}) as started:
        started.process.wait(30)
        assert started.log.read_text() == "False x\n"
