"""What a fence is for, as rules that every store of jobs has to keep; and a store that does not keep them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
import pytest

from forehearth.core.job import Ending, Job, JobEvent, JobState, Lease, LeaseLost, NewJob
from forehearth.core.place import Place
from forehearth.ports.jobs import JobStore
from forehearth.stores.memory_jobs import MemoryJobs

HERE = Place(resource="here", project="default")
STEP = {"late": b'"of the first"'}
DONE = Ending(state=JobState.SUCCEEDED, result=b"1")


def new(name: str = "a", **rest: object) -> NewJob:
    return NewJob(**{"place": HERE, "kind": "work", "id": name} | rest)  # type: ignore[arg-type] - a test's own words


def event(number: int, body: bytes = b"{}") -> JobEvent:
    return JobEvent(number=number, name="told", body=body)


LATE_WRITES: Mapping[str, Callable[[JobStore, Lease], Awaitable[object]]] = {
    "step": lambda store, lease: store.record(lease, STEP, []),
    "event": lambda store, lease: store.record(lease, {}, [event(7)]),
    "finish": lambda store, lease: store.finish(lease, DONE),
    "failure": lambda store, lease: store.finish(lease, Ending(state=JobState.FAILED)),
    "give back": lambda store, lease: store.give_back(lease, 0.0),
}
"""All that a worker writes, but for the heartbeat, which is answered."""


async def claimed(store: JobStore, seconds: float) -> Job:
    (job,) = await store.claim(["work"], 10, seconds)
    return job


async def refuses_whoever_had_the_job_before(store: JobStore) -> None:
    """The first claims, and its lease lapses; the second claims. Whatever the first writes then is refused."""
    made = await store.add(new())
    first = await claimed(store, 0.0)
    second = await claimed(store, 60.0)
    assert second.fence > first.fence
    await store.record(second.lease, {"mine": b"2"}, [event(0)])
    for write in LATE_WRITES.values():
        with pytest.raises(LeaseLost):
            await write(store, first.lease)
    assert await store.renew([first.lease], 60.0) == {}
    assert await store.renew([first.lease, second.lease], 60.0) == {second.lease: False}
    found = await store.recorded(made.sequence)
    assert (found.steps, found.last_event) == ({"mine": b"2"}, 0)
    await store.finish(second.lease, DONE)
    for write in LATE_WRITES.values():
        with pytest.raises(LeaseLost):
            await write(store, first.lease)


class Unfenced(MemoryJobs):
    """Lets everybody write who ever had the job."""

    async def renew(self, leases: Sequence[Lease], seconds: float) -> Mapping[Lease, bool]:
        return await super().renew([self._newest(each) for each in leases], seconds)

    async def record(self, lease: Lease, steps: Mapping[str, bytes], events: Sequence[JobEvent]) -> None:
        await super().record(self._newest(lease), steps, events)

    async def finish(self, lease: Lease, ending: Ending) -> None:
        await super().finish(self._newest(lease), ending)

    def _newest(self, lease: Lease) -> Lease:
        return msgspec.structs.replace(lease, fence=self._jobs[lease.job].fence)


class UnfencedSteps(Unfenced):
    async def renew(self, leases: Sequence[Lease], seconds: float) -> Mapping[Lease, bool]:
        return await MemoryJobs.renew(self, leases, seconds)

    async def finish(self, lease: Lease, ending: Ending) -> None:
        await MemoryJobs.finish(self, lease, ending)


class UnfencedEnd(Unfenced):
    async def renew(self, leases: Sequence[Lease], seconds: float) -> Mapping[Lease, bool]:
        return await MemoryJobs.renew(self, leases, seconds)

    async def record(self, lease: Lease, steps: Mapping[str, bytes], events: Sequence[JobEvent]) -> None:
        await MemoryJobs.record(self, lease, steps, events)


class UnfencedBeat(Unfenced):
    async def record(self, lease: Lease, steps: Mapping[str, bytes], events: Sequence[JobEvent]) -> None:
        await MemoryJobs.record(self, lease, steps, events)

    async def finish(self, lease: Lease, ending: Ending) -> None:
        await MemoryJobs.finish(self, lease, ending)
