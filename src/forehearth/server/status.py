"""How far the start is, as the parent sees it: a small file in `run/` that every worker's `/health/ready` reads."""

from pathlib import Path
from typing import Literal

import msgspec

from forehearth.server.data_directory import write_private

State = Literal["waiting", "working", "ready", "failed"]


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """One set of weights that the configuration needs."""

    state: State = "waiting"
    step: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    """0 while it is not known."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be there before calls are taken. With no embedded models all of it is, at once."""

    weights: dict[str, Weights] = {}
    engine: State = "ready"
    """Whether the engines that run the models can be loaded on this machine."""
    preload: State = "ready"
    """Whether the models are in memory, where that was asked for."""
    reason: str = ""
    """Why something failed, in one line."""

    @property
    def complete(self) -> bool:
        """Whether the start is over."""
        states = (self.engine, self.preload, *(each.state for each in self.weights.values()))
        return all(state == "ready" for state in states)


def write_status(run: Path, status: Status) -> None:
    """Tell the workers; a reader sees the old status or the new one."""
    write_private(run / "status.json", msgspec.json.encode(status))


def read_status(run: Path) -> Status | None:
    """What the parent told last; None when it told nothing, so that nobody takes silence for readiness."""
    try:
        return msgspec.json.decode((run / "status.json").read_bytes(), type=Status)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
