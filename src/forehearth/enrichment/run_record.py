"""A run of a job: what it is at, what it did, and what that used."""

import math
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from forehearth.enrichment.budget import Spent

Status = Literal["planned", "running", "completed", "incomplete", "failed", "cancelled", "interrupted"]
"""`planned`: nothing was done but, perhaps, a sample; `incomplete`: a limit of the job was reached.

All but `completed` can go on.
"""


MOST_POINTS: Final = 240
"""Points of a run's course that are kept. When there are more, every second one goes."""
SHORTEST: Final = 0.001
"""Seconds of the first class of latencies; each class after it is twice as long, and the last has no end."""
CLASSES: Final = 20


class Point(msgspec.Struct, frozen=True, array_like=True):
    """How far a run was at a time, in seconds of its work."""

    seconds: float
    done: int
    failed: int
    requests: int
    tokens: int
    cost: int


class Run(msgspec.Struct, kw_only=True):
    """One run, over all the times that it was begun again. Times are Unix seconds."""

    id: str
    job: str
    fingerprint: str
    source_version: str
    status: Status = "planned"
    reason: str = ""
    """Why it is not completed, in a sentence."""
    limit: str = ""
    """The limit that was reached, where it is `incomplete`."""
    started: float
    updated: float
    ended: float | None = None
    rows: int | None = None
    """Rows of the source, where that is known."""
    done: int = 0
    """Rows that have landed, in the sink or in the quarantine, or had landed before."""
    failed: int = 0
    """Those of them without an answer."""
    reused: int = 0
    """Rows whose answer was there already."""
    chunks: int = 0
    """Chunks that this run has landed."""
    spent: Spent = msgspec.field(default_factory=Spent)
    warnings: list[str] = []
    """What went wrong without ending it."""
    errors: dict[str, int] = {}
    """Rows without an answer, by the code of the reason."""
    latency: list[int] = msgspec.field(default_factory=lambda: [0] * CLASSES)
    """Calls that were answered, by how long that took: see `SHORTEST`."""
    points: list[Point] = []
    """Its course."""
    step: float = 1.0
    """Seconds between two points, at least."""
    retried: int | None = None
    """The version of the quarantine whose rows it asks again; None for a run over the source."""
    currency: str = "USD"
    """Of what it cost."""
    sink: str = ""
    """The sink in which it is completed, by its identity; empty where that was not written down."""
    quarantine: str = ""
    """Where its failed rows are; empty where they go to no table of their own."""
    process: int = 0
    """The process that works on it, or did last."""

    def mark(self) -> None:
        """Keep a point of its course, if it is time for one."""
        spent = self.spent
        if self.points and spent.seconds - self.points[-1].seconds < self.step:
            return
        self.points.append(Point(spent.seconds, self.done, self.failed, spent.requests, spent.tokens, spent.cost))
        if len(self.points) > MOST_POINTS:
            self.points = self.points[::2]
            self.step *= 2


def latency_class(seconds: float) -> int:
    """The class of a latency."""
    return min(CLASSES - 1, max(0, math.ceil(math.log2(max(seconds, SHORTEST) / SHORTEST))))


def latencies(counts: Sequence[int]) -> list[tuple[str, int]]:
    """The classes that occur, by the longest latency of each, and how many calls there were."""
    occurring = [at for at, count in enumerate(counts) if count]
    if not occurring:
        return []
    return [(_seconds(SHORTEST * 2**at), counts[at]) for at in range(occurring[0], occurring[-1] + 1)]


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:,.0f} s"
