"""How a run goes from one status to the next, and how what is open in it ends with it."""

from collections.abc import Callable
from typing import Final

import msgspec

from forehearth.assistants.kept import Kept, KeptRun
from forehearth.core.place import Place
from forehearth.dialects.assistants.answer import EARLY, Outcome
from forehearth.dialects.assistants.objects import Error, Item, Reason, Run, ended
from forehearth.dialects.assistants.states import MOVES, Move, Status

_STAMPS: Final = {
    Status.COMPLETED: "completed_at",
    Status.FAILED: "failed_at",
    Status.CANCELLED: "cancelled_at",
}


def moved(kept: KeptRun, move: Move, now: int) -> KeptRun:
    """The run after a move. One that cannot be moved so stays as it is: somebody else was first."""
    run = kept.run
    status = MOVES.get((run.status, move))
    if status is None:
        return kept
    changed = msgspec.structs.replace(run, status=status, required_action=None)
    if status is Status.IN_PROGRESS and run.started_at is None:
        changed = msgspec.structs.replace(changed, started_at=now)
    if not status.final:
        return msgspec.structs.replace(kept, run=changed)
    stamp = {_STAMPS[status]: now} if status in _STAMPS else {}
    # One that expired goes on saying when it did.
    over = msgspec.structs.replace(
        changed, usage=kept.used, expires_at=run.expires_at if status is Status.EXPIRED else None, **stamp
    )
    return msgspec.structs.replace(kept, run=over, asker=None, given={})


class Ending:
    """Ends runs, in one step each, whoever else would end them."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    async def answered(self, place: Place, kept: KeptRun, outcome: Outcome) -> tuple[KeptRun, list[Item]]:
        """What became of it by an answer; and what else ended with it. Raises `NotFound`."""

        def take(now: KeptRun) -> KeptRun:
            if now.leg != kept.leg or (now.run.status, outcome.move) not in MOVES:
                return now
            used = now.used if outcome.usage is None else outcome.usage.plus(now.used)
            after = moved(msgspec.structs.replace(now, used=used), outcome.move, self._kept.now)
            return msgspec.structs.replace(after, run=_told(after.run, outcome))

        return await self._changed(place, kept.run, take)

    async def end(self, place: Place, run: Run, move: Move, error: Error | None = None) -> tuple[KeptRun, list[Item]]:
        """Move it without an answer; and what else ended with it. Raises `NotFound`."""

        def take(now: KeptRun) -> KeptRun:
            after = moved(now, move, self._kept.now)
            failed = after.run.status is Status.FAILED and now.run.status is not Status.FAILED
            return after if not failed else msgspec.structs.replace(after, run=_failed(after.run, error))

        changed, items = await self._changed(place, run, take)
        return changed, items

    async def _changed(self, place: Place, run: Run, take: Callable[[KeptRun], KeptRun]) -> tuple[KeptRun, list[Item]]:
        changed = await self._kept.runs.change(place, run.id, take, parent=run.thread_id)
        return changed, await self._close(place, changed.run)

    async def _close(self, place: Place, run: Run) -> list[Item]:
        """End what is open in a run that ended before it was done."""
        move = {Status.CANCELLED: Move.CANCEL, Status.EXPIRED: Move.EXPIRE}.get(run.status, Move.FAIL)
        if not run.status.final or run.status in (Status.COMPLETED, Status.INCOMPLETE):
            return []
        said: list[Item] = [
            ended(each, EARLY[move], self._kept.now)
            for each in await self._kept.messages.every(place, parent=run.thread_id, run=run.id)
            if each.status == "in_progress"
        ]
        done: list[Item] = [
            ended(each, EARLY[move], self._kept.now, run.last_error)
            for each in await self._kept.steps.every(place, parent=run.id)
            if each.status == "in_progress"
        ]
        for item in (*said, *done):
            await self._kept.renew(place, item)
        return [*said, *done]


def _told(run: Run, outcome: Outcome) -> Run:
    """The run with what else there is to say of an answer."""
    match run.status:
        case Status.REQUIRES_ACTION:
            action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": outcome.calls}}
            return msgspec.structs.replace(run, required_action=action)
        case Status.INCOMPLETE:
            reason = None if outcome.reason is None else Reason(outcome.reason)
            return msgspec.structs.replace(run, incomplete_details=reason)
        case Status.FAILED:
            return _failed(run, outcome.error)
        case _:
            return run


def _failed(run: Run, error: Error | None) -> Run:
    return msgspec.structs.replace(run, last_error=error)
