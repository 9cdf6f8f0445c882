"""The life of a job by chance: what happens to it is what the table of `core.job` says, and nothing else."""

import msgspec
import pytest

from forehearth.core.job import LOST, MOVES, Ending, Job, JobError, JobState, LeaseLost, Move
from forehearth.ports.jobs import JobStore
from tests.unit.stores.job_fence import HERE, event, new

MOST_ATTEMPTS = 3
NO = JobError(code="no", message="no")


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody does to a job."""

    what: str
    stale: bool = False
    """With the lease before the last one."""
    lapses: bool = False
    """The lease that comes of it is over at once."""


WHATS = ("claim", "give back", "succeed", "fail", "end cancelled", "cancel", "renew", "record")
_ENDINGS = {
    "succeed": (Move.SUCCEED, Ending(state=JobState.SUCCEEDED, result=b"1")),
    "fail": (Move.FAIL, Ending(state=JobState.FAILED, error=NO)),
    "end cancelled": (Move.CANCEL, Ending(state=JobState.CANCELLED)),
}


class Life:
    """A job, and the model that it is held against."""

    def __init__(self, store: JobStore, job: Job) -> None:
        self._store = store
        self._job = job
        self._state, self._attempts, self._cancel_asked = JobState.WAITING, 0, False
        self._leases = [job.lease]
        self._due = True
        self._ending: Ending | None = None
        self._recorded = 0
        self.moves: list[Move] = []

    @classmethod
    async def begun(cls, store: JobStore, name: str) -> "Life":
        return cls(store, await store.add(new(name, kind=name, most_attempts=MOST_ATTEMPTS)))

    async def act(self, act: Act) -> None:
        """Do it, and see that it was done or refused as it has to be."""
        lease = self._leases[-2 if act.stale and len(self._leases) > 1 else -1]
        holds = self._state is JobState.RUNNING and lease == self._leases[-1]
        seconds = 0.0 if act.lapses else 600.0
        if act.what == "claim":
            await self._claim(seconds, lapses=act.lapses)
        elif act.what == "cancel":
            await self._cancel()
        elif act.what == "renew":
            found = await self._store.renew([lease], seconds)
            assert found == ({lease: self._cancel_asked} if holds else {})
            self._due = act.lapses if holds else self._due
        elif act.what == "record":
            number = self._recorded
            write = self._store.record(lease, {f"s{number}": b"1"}, [event(number)])
            self._recorded += await self._written(write, holds=holds)
        elif act.what == "give back":
            if await self._written(self._store.give_back(lease, seconds), holds=holds):
                self._move(Move.GIVE_BACK)
                self._attempts, self._due = self._attempts - 1, act.lapses
        else:
            await self._end(act.what, lease == self._leases[-1], lease, holds=holds)
        await self._look()

    async def _claim(self, seconds: float, *, lapses: bool) -> None:
        found = await self._store.claim([self._job.kind], 5, seconds)
        if not self._due or self._state.final:
            assert found == []
        elif self._state is JobState.RUNNING and self._attempts == MOST_ATTEMPTS:
            assert found == []
            self._move(Move.CANCEL if self._cancel_asked else Move.FAIL)
            self._ending = Ending(state=self._state, error=None if self._cancel_asked else LOST)
        else:
            (job,) = found
            self._move(Move.CLAIM)
            self._attempts, self._due = self._attempts + 1, lapses
            assert job.fence == self._leases[-1].fence + 1
            self._leases.append(job.lease)

    async def _cancel(self) -> None:
        await self._store.cancel(HERE, self._job.id)
        if not self._state.final:
            self._cancel_asked = True
        if self._state is JobState.WAITING:
            self._move(Move.CANCEL)
            self._ending = Ending(state=self._state)

    async def _end(self, what: str, newest: bool, lease: object, *, holds: bool) -> None:
        move, ending = _ENDINGS[what]
        again = newest and self._ending == ending
        done = await self._written(self._store.finish(lease, ending), holds=holds or again)
        if done and not again:
            self._move(move)
            self._ending = ending

    async def _written(self, write, *, holds: bool) -> bool:
        if holds:
            await write
        else:
            with pytest.raises(LeaseLost):
                await write
        return holds

    def _move(self, move: Move) -> None:
        self._state = MOVES[self._state, move]
        self.moves.append(move)

    async def _look(self) -> None:
        job = await self._store.get(HERE, self._job.id)
        assert (job.state, job.attempts, job.cancel_asked) == (self._state, self._attempts, self._cancel_asked)
        assert job.lease == self._leases[-1]
        assert (job.due is None) is job.state.final
        assert job.error in ((NO, LOST) if job.state is JobState.FAILED else (None,))
        found = await self._store.recorded(job.sequence)
        assert (len(found.steps), found.last_event) == (self._recorded, self._recorded - 1)
