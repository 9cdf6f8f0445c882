"""What can be seen of a running server from outside: its numbers, and what its workers hold."""

import os
import re
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

_PATIENCE = 10.0


def metric(url: str, name: str, **labels: str) -> float:
    """The sum of a metric's series that have these labels."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/metrics") as page:
        found = re.findall(rf"^{name}(\{{[^}}]*\}})? (\S+)$", page.read().decode(), re.MULTILINE)
    return sum(float(value) for given, value in found if all(f'{key}="{labels[key]}"' in given for key in labels))


def workers(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def open_files(parent: int) -> int:
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in workers(parent))


def resident_mib(parent: int) -> float:
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in workers(parent))
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def processor_seconds(parent: int) -> float:
    """What the workers have used of the processor until now."""
    used = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13] for pid in workers(parent)]
    return sum(int(ticks) for each in used for ticks in each) / os.sysconf("SC_CLK_TCK")


def until(condition: Callable[[], bool], within: float = _PATIENCE) -> bool:
    """Whether it comes to hold within so many seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
