"""Programs under measurement: started on one core, their CPU time and memory read from /proc, ended for certain."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import FailedError, MissingToolError

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STOP_SECONDS = 10.0
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass(frozen=True, kw_only=True)
class Cores:
    """Which core the gateway has to itself, and which one load generator and mock share."""

    gateway: int
    load: int

    @classmethod
    def choose(cls) -> "Cores":
        """The last two cores this process may use; the first ones serve interrupts on many machines."""
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < 2:
            raise MissingToolError("two cores are needed: one for the gateway, one for load generator and mock")
        return cls(gateway=allowed[-2], load=allowed[-1])


@dataclass(frozen=True)
class Running:
    """A started program with all the processes it made."""

    process: subprocess.Popen[bytes]
    log: Path

    def tree(self) -> list[int]:
        """Ids of the program and everything below it."""
        return _tree(self.process.pid)

    def cpu_seconds(self) -> float:
        """CPU time of the whole tree by the scheduler's accounting, ended threads and children included."""
        return sum(_cpu_seconds(pid) for pid in self.tree())

    def rss_mib(self) -> float:
        """Resident memory of the whole tree; pages that processes share count once for each."""
        return sum(resident_bytes(pid) for pid in self.tree()) / 2**20

    def largest_rss_mib(self) -> float:
        """Resident memory of the largest process of the tree: of one worker, where others stand beside it."""
        return max(resident_bytes(pid) for pid in self.tree()) / 2**20

    def ended(self) -> bool:
        """Whether the program has gone."""
        return self.process.poll() is not None

    def last_words(self) -> str:
        """The end of what it wrote, on one line, for the report of a failure."""
        text = self.log.read_text(errors="replace").strip()
        return " ".join(text[-400:].split())


def _tree(root: int) -> list[int]:
    pids = [root]
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                pids += [int(child) for child in task.read_text().split()]
    return pids


def _cpu_seconds(pid: int) -> float:
    with contextlib.suppress(OSError):
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(field) for field in after_name[11:15]) / _TICKS
    return 0.0


def resident_bytes(pid: int) -> int:
    """Resident memory of one process; 0 when it has gone."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    return 0


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """A small environment: nothing of the machine's proxies and settings reaches a stack."""
    return {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ} | dict(extra)


@contextlib.contextmanager
def running(command: Sequence[str], *, core: int, folder: Path, variables: Mapping[str, str]) -> Iterator[Running]:
    """Start a program pinned to a core; at the end it and all it started are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "--cpu-list", str(core), *command],
            cwd=folder,
            env=environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Running(process, log)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the program to stop; whatever of its tree is still there ten seconds later is killed."""
    handles = []
    for pid in _tree(process.pid):
        with contextlib.suppress(ProcessLookupError):
            handles.append(os.pidfd_open(pid))
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    for handle in handles:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        os.close(handle)
    process.wait()


def announced_ports(started: Running, patience: float) -> list[int]:
    """The numbers behind `ports` at the start of a line that the program wrote, waited for at most so many seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = re.search(r"^ports((?: \d+)+)$", started.log.read_text(errors="replace"), re.MULTILINE)
        if found:
            return [int(number) for number in found[1].split()]
        if started.ended():
            break
        time.sleep(0.002)
    raise FailedError(f"did not say where it listens: {started.last_words()}")
