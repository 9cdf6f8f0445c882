"""A job: work that outlives the process that does it. It belongs to a place, and one worker at a time has it.

Its states, and what moves it from one to the next; what is not in the table cannot happen:

    | state     | claim   | give back | succeed   | fail   | cancel    |
    |-----------|---------|-----------|-----------|--------|-----------|
    | waiting   | running |           |           |        | cancelled |
    | running   | running | waiting   | succeeded | failed | cancelled |
    | succeeded |         |           |           |        |           |
    | failed    |         |           |           |        |           |
    | cancelled |         |           |           |        |           |

- *claim*: a worker takes it. One that runs is claimed anew when its lease has lapsed: whoever had it is dead, or takes
  too long. After as many attempts as it may have it fails instead, or is cancelled where that was asked for.
- *give back*: a worker that ends lets go of it. That does not count as an attempt.
- *succeed*, *fail*: its handler is done.
- *cancel*: whoever asked for the job does not want it any more. Where nobody has it, it is cancelled at once; where it
  runs, its worker is asked to cancel it.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from forehearth.core.place import Place

LONGEST_NAME: Final = 256
"""Characters of an id or a subject, and of the name of a step or an event."""
MOST_BYTES: Final = 4_194_304
"""Of JSON in an input, a result, a step or an event. What is larger belongs into a file, and its id here."""
MOST_ATTEMPTS: Final = 5
"""How often a job is begun before it counts as one that ends its workers, unless it says otherwise."""


class JobState(StrEnum):
    """What has become of a job."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing moves it any more."""
        return self in FINAL


class Move(StrEnum):
    """What can happen to a job."""

    CLAIM = "claim"
    GIVE_BACK = "give back"
    SUCCEED = "succeed"
    FAIL = "fail"
    CANCEL = "cancel"


MOVES: Final[Mapping[tuple[JobState, Move], JobState]] = MappingProxyType(
    {
        (JobState.WAITING, Move.CLAIM): JobState.RUNNING,
        (JobState.WAITING, Move.CANCEL): JobState.CANCELLED,
        (JobState.RUNNING, Move.CLAIM): JobState.RUNNING,
        (JobState.RUNNING, Move.GIVE_BACK): JobState.WAITING,
        (JobState.RUNNING, Move.SUCCEED): JobState.SUCCEEDED,
        (JobState.RUNNING, Move.FAIL): JobState.FAILED,
        (JobState.RUNNING, Move.CANCEL): JobState.CANCELLED,
    }
)
"""The table above."""
FINAL: Final = frozenset(JobState) - {state for state, _ in MOVES}


class JobError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a job failed, in words that are fit for whoever asked for it."""

    code: str
    message: str


LOST: Final = JobError(
    code="worker_lost", message="Every worker that had the job was lost, or did not come to its end."
)
"""Why a job failed that has had all of its attempts."""


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for."""

    place: Place
    kind: str
    """Which handler does it."""
    id: str
    """Told apart within its place."""
    subject: str = ""
    """The id of what it is for, such as a response; empty where there is no such thing."""
    input: bytes = b"null"
    """JSON."""
    most_attempts: int = MOST_ATTEMPTS
    delay: float = 0.0
    """Seconds before it may be begun."""
    kept: float | None = None
    """Seconds after its end until it is not there any more; None for ever."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job as the store has it. All times are Unix seconds by the store's clock."""

    place: Place
    kind: str
    id: str
    subject: str
    input: bytes
    sequence: int
    """Its number in the store: grows with each job, and is never had again."""
    state: JobState
    attempts: int
    """How often it was begun, without those times that it was given back."""
    most_attempts: int
    fence: int
    """How often it was claimed. Who claimed it before writes nothing of it any more."""
    due: float | None
    """From then on a worker may claim it: while it runs, the end of its lease. None once it has ended."""
    cancel_asked: bool
    created: float
    updated: float
    """When it last changed its state, or its lease was last renewed."""
    kept: float | None
    expires: float | None
    """From then on it is not there any more; None for never, and as long as it has not ended."""
    result: bytes | None = None
    """JSON; None until it has succeeded. One that was cancelled may have what there was until then."""
    error: JobError | None = None

    @property
    def lease(self) -> "Lease":
        """What whoever claimed it shows with every write."""
        return Lease(job=self.sequence, fence=self.fence)


class Lease(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """The right to write of a job, until somebody else claims it."""

    job: int
    """The job's sequence."""
    fence: int


class JobEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One of the things that a job tells while it runs."""

    number: int
    """0 for a job's first one, then 1, 2, …"""
    name: str
    body: bytes
    """JSON."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What earlier attempts at a job left."""

    steps: Mapping[str, bytes]
    """Each step's result as JSON, by its name."""
    last_event: int
    """The number of the last event; -1 where there is none."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event, and when it was recorded."""

    event: JobEvent
    at: float | None
    """Unix seconds; None where nobody noted that yet."""


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """How a job went, for whoever operates the server."""

    attempts: Mapping[int, float]
    """When it was claimed, by the fence."""
    steps: Mapping[str, float | None]
    """When each step was recorded, by its name; None where nobody noted that yet."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ended: in one of the final states."""

    state: JobState
    result: bytes | None = None
    error: JobError | None = None


class JobQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs of a place, the newest first."""

    place: Place
    kind: str | None = None
    subject: str | None = None
    state: JobState | None = None
    before: int | None = None
    """Only those with a lesser sequence: what follows a page whose last one had it."""
    limit: int = 20


class JobExists(Exception):
    """There is one of this id in this place."""


class LeaseLost(Exception):
    """Somebody else has claimed the job meanwhile, or it has ended: nothing was written."""
