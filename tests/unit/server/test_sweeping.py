"""What has expired is removed, all of it, again and again, also after the store was away."""

import pytest

from forehearth.core.document import Document, StoreFailed
from forehearth.core.job import JobQuery
from forehearth.server.stores import Stores
from forehearth.server.sweeping import SWEEP_SECONDS, TOGETHER, sweep, swept
from forehearth.stores.memory import MemoryAudit, MemoryDocuments
from forehearth.stores.memory_jobs import MemoryJobs
from forehearth.testing.clock import VirtualClock
from tests.families import sealer
from tests.unit.stores.job_fence import DONE, HERE, new


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def stores(clock):
    return Stores(
        documents=MemoryDocuments(), audit=MemoryAudit(), jobs=MemoryJobs(clock), pepper=b"p" * 32, sealer=sealer()
    )


async def fill(stores, clock, count, seconds):
    for number in range(count):
        expires = clock.unix() + seconds
        document = Document(place=HERE, kind="thing", id=f"d{number}", created=0, updated=0, body=b"", expires=expires)
        await stores.documents.insert(document)
        await stores.jobs.add(new(f"j{number}", kept=seconds))
    for job in await stores.jobs.claim(["work"], count, 60.0):
        await stores.jobs.finish(job.lease, DONE)


async def kept(stores):
    return len(await stores.documents.of_all_places("thing")), len(stores.jobs._jobs)


async def test_all_that_has_expired_is_removed_and_nothing_else(stores, clock):
    count = 2 * TOGETHER + 1
    await fill(stores, clock, count, 10.0)
    await stores.jobs.add(new("waits", kept=10.0))
    assert await sweep(stores, clock) == 0
    await clock.advance(10)
    assert await sweep(stores, clock) == 2 * count
    assert await kept(stores) == (0, 1)
    assert [each.id for each in await stores.jobs.page(JobQuery(place=HERE))] == ["waits"]


async def test_it_is_swept_again_and_again(stores, clock, caplog):
    class Away(MemoryJobs):
        away = True

        async def remove_expired(self, limit):
            if self.away:
                raise StoreFailed("the store does not answer: ConnectionRefusedError")
            return await super().remove_expired(limit)

    jobs = Away(clock)
    stores = Stores(documents=stores.documents, audit=stores.audit, jobs=jobs, pepper=stores.pepper, sealer=sealer())
    async with swept(stores, clock, clock.sleep):
        await clock.advance(0)
        await fill(stores, clock, 3, 10.0)
        await clock.advance(SWEEP_SECONDS)
        assert await kept(stores) == (0, 3)
        assert "could not be removed: the store does not answer" in caplog.text
        jobs.away = False
        await clock.advance(SWEEP_SECONDS)
        assert await kept(stores) == (0, 0)
    assert clock.sleepers == 0
