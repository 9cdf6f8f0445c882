"""Whether this process lives, and whether it takes calls: what `/health/live` and `/health/ready` answer."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from forehearth.server.status import Status, read_status


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict, and what it stands on."""

    ready: bool
    report: Mapping[str, Any]


class Health:
    """One worker's view. The start's progress is the parent's, read anew at every question."""

    def __init__(self, status: Callable[[], Status | None], draining: Callable[[], bool]) -> None:
        self._status = status
        self._draining = draining

    def readiness(self) -> Readiness:
        """Ready once weights and engines are there, with `--preload` once models are loaded, and not while ending."""
        status = self._status()
        if self._draining():
            return Readiness(ready=False, report={"status": "stopping"})
        if status is None:
            return Readiness(ready=False, report={"status": "starting"})
        if status.complete:
            return Readiness(ready=True, report={"status": "ready"})
        report = {"status": "failed" if status.reason else "starting", **msgspec.to_builtins(status)}
        return Readiness(ready=False, report=report)


def status_of(run: Path) -> Callable[[], Status | None]:
    """What reads the status that the parent keeps in `run`."""

    def read() -> Status | None:
        return read_status(run)

    return read
