"""What the figures were taken on, and of which commit."""

import os
import platform
import subprocess
import time
from pathlib import Path


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"model name", "Model"}:
            return value.strip()
    return platform.machine()


def _memory_gib() -> float:
    kib = int(Path("/proc/meminfo").read_text().split()[1])
    return round(kib / 2**20, 1)


def describe() -> dict[str, str | int | float]:
    """CPU, cores, memory, kernel, system; nothing that names the machine."""
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 0,
        "memory_gib": _memory_gib(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "system": system,
        "python": platform.python_version(),
    }


def commit(root: Path) -> str:
    """The commit that is checked out, marked where the measured code has changes beyond it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False).stdout.strip()

    name = git("rev-parse", "--short=12", "HEAD") or "unknown"
    changed = git("status", "--porcelain", "--", "src", "bench", "pyproject.toml", "requirements.lock")
    return f"{name} with changes" if changed else name


def _ticks() -> tuple[int, int]:
    """Idle and all ticks of every core since boot."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)


def busy_share(seconds: float) -> float:
    """How much of the machine others use: looked at while nothing of ours runs."""
    idle, every = _ticks()
    time.sleep(seconds)
    idle_after, every_after = _ticks()
    return 1 - (idle_after - idle) / max(1, every_after - every)
