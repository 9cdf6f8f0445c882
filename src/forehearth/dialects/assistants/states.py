"""The statuses of a run, and what moves it from one to the next; what is not in the table cannot happen.

    | comes         | queued      | in_progress     | requires_action | cancelling |
    |---------------|-------------|-----------------|-----------------|------------|
    | begin         | in_progress | in_progress     |                 | cancelling |
    | call          |             | requires_action |                 | cancelled  |
    | submit        |             |                 | queued          |            |
    | complete      |             | completed       |                 | cancelled  |
    | cut           |             | incomplete      |                 | cancelled  |
    | fail          | failed      | failed          |                 | cancelled  |
    | ask to cancel | cancelling  | cancelling      | cancelled       | cancelling |
    | cancel        | cancelled   | cancelled       | cancelled       | cancelled  |
    | expire        | expired     | expired         | expired         | cancelled  |

- *begin*: a worker has it, perhaps because the one before died.
- *call*: the model calls functions; whoever asked for the run carries them out. Nobody works on it until then.
- *submit*: what the functions gave is there.
- *complete*, *cut*, *fail*: the model has said all, was cut short, or could not be asked.
- *ask to cancel*, *cancel*: nobody wants it any more; its worker lets go of it.
- *expire*: it is not over ten minutes after it was asked for.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Status(StrEnum):
    """What a run is."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    REQUIRES_ACTION = "requires_action"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FAILED = "failed"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    EXPIRED = "expired"

    @property
    def final(self) -> bool:
        """Whether nothing moves it any more."""
        return self in FINAL


class Move(StrEnum):
    """What can happen to a run."""

    BEGIN = "begin"
    CALL = "call"
    SUBMIT = "submit"
    COMPLETE = "complete"
    CUT = "cut"
    FAIL = "fail"
    ASK_TO_CANCEL = "ask to cancel"
    CANCEL = "cancel"
    EXPIRE = "expire"


_CANCELLING: Final[Mapping[tuple[Status, Move], Status]] = {
    (Status.CANCELLING, move): Status.CANCELLED for move in Move if move is not Move.SUBMIT
}
MOVES: Final[Mapping[tuple[Status, Move], Status]] = MappingProxyType(
    {
        (Status.QUEUED, Move.BEGIN): Status.IN_PROGRESS,
        (Status.QUEUED, Move.FAIL): Status.FAILED,
        (Status.QUEUED, Move.ASK_TO_CANCEL): Status.CANCELLING,
        (Status.QUEUED, Move.CANCEL): Status.CANCELLED,
        (Status.QUEUED, Move.EXPIRE): Status.EXPIRED,
        (Status.IN_PROGRESS, Move.BEGIN): Status.IN_PROGRESS,
        (Status.IN_PROGRESS, Move.CALL): Status.REQUIRES_ACTION,
        (Status.IN_PROGRESS, Move.COMPLETE): Status.COMPLETED,
        (Status.IN_PROGRESS, Move.CUT): Status.INCOMPLETE,
        (Status.IN_PROGRESS, Move.FAIL): Status.FAILED,
        (Status.IN_PROGRESS, Move.ASK_TO_CANCEL): Status.CANCELLING,
        (Status.IN_PROGRESS, Move.CANCEL): Status.CANCELLED,
        (Status.IN_PROGRESS, Move.EXPIRE): Status.EXPIRED,
        (Status.REQUIRES_ACTION, Move.SUBMIT): Status.QUEUED,
        (Status.REQUIRES_ACTION, Move.ASK_TO_CANCEL): Status.CANCELLED,
        (Status.REQUIRES_ACTION, Move.CANCEL): Status.CANCELLED,
        (Status.REQUIRES_ACTION, Move.EXPIRE): Status.EXPIRED,
        **_CANCELLING,
        (Status.CANCELLING, Move.BEGIN): Status.CANCELLING,
        (Status.CANCELLING, Move.ASK_TO_CANCEL): Status.CANCELLING,
    }
)
"""The table above."""
FINAL: Final = frozenset(Status) - {status for status, _ in MOVES}
