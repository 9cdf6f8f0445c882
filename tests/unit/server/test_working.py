"""The jobs that a process does: told apart by their kind and resource."""

import asyncio

from forehearth.core.job import JobState, NewJob
from forehearth.core.place import Place
from forehearth.server.working import Workshop
from forehearth.stores.memory_jobs import MemoryJobs
from forehearth.testing.clock import VirtualClock

HERE, THERE = Place(resource="here", project="p"), Place(resource="there")


def handler(done, name):
    async def handle(run):
        done.append((name, run.job.id))

    return handle


async def ended(store, place, id_):
    while not (job := await store.get(place, id_)).state.final:  # noqa: ASYNC110 - the store tells nobody
        await asyncio.sleep(0)
    return job


async def test_jobs_go_to_their_kind_s_handler_at_their_resource():
    clock = VirtualClock()
    store, workshop, done = MemoryJobs(clock), Workshop(), []
    for kind in ("a", "b"):
        for resource in ("here", "there"):
            workshop.add(kind, resource, handler(done, f"{kind} {resource}"))
    workshop.nudge()  # nobody is there yet
    async with workshop.open(store, clock):
        for kind, place in (("a", HERE), ("b", HERE), ("a", THERE)):
            id_ = f"{kind}-{place.resource}"
            await store.add(NewJob(place=place, kind=kind, id=id_))
            workshop.nudge()
            assert (await ended(store, place, id_)).state is JobState.SUCCEEDED
    workshop.nudge()  # nobody is there any more
    assert done == [("a here", "a-here"), ("b here", "b-here"), ("a there", "a-there")]


async def test_a_job_of_a_resource_that_is_not_served_any_more_has_failed():
    clock = VirtualClock()
    store, workshop = MemoryJobs(clock), Workshop()
    workshop.add("a", "here", handler([], "a"))
    async with workshop.open(store, clock):
        await store.add(NewJob(place=THERE, kind="a", id="x"))
        workshop.nudge()
        job = await ended(store, THERE, "x")
    assert (job.state, job.error.code) == (JobState.FAILED, "not_found")
