"""A store that is away when a server starts is waited for; one that cannot be used is not."""

import asyncio
import logging

import pytest

from forehearth.core.clock import SystemClock
from forehearth.core.document import StoreFailed
from forehearth.core.errors import Misconfigured
from forehearth.server.stores import Stores, when_there
from forehearth.stores.memory import MemoryAudit, MemoryDocuments
from forehearth.stores.memory_jobs import MemoryJobs
from tests.families import sealer

THERE = Stores(
    documents=MemoryDocuments(),
    audit=MemoryAudit(),
    jobs=MemoryJobs(SystemClock()),
    pepper=b"p" * 32,
    sealer=sealer(),
)


class Door:
    """Opens after some failures."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.tried = asyncio.Event()

    async def __call__(self) -> Stores:
        self.tried.set()
        if self._failures:
            raise self._failures.pop(0)
        return THERE


async def test_a_store_that_comes_late_is_waited_for_and_that_is_said_once(caplog):
    caplog.set_level(logging.WARNING)
    away = StoreFailed("the store does not answer: ConnectionRefusedError")
    assert await when_there(Door(away, away), SystemClock(), asyncio.Event()) is THERE
    assert [each.message for each in caplog.records] == [f"nothing is served until the store is there: {away}"]


async def test_a_store_that_cannot_be_used_is_told_at_once():
    with pytest.raises(Misconfigured, match="no such database"):
        await when_there(Door(Misconfigured("no such database")), SystemClock(), asyncio.Event())


async def test_the_end_does_not_wait_for_a_store():
    over, door = asyncio.Event(), Door(*[StoreFailed("away")] * 1_000)
    waiting = asyncio.create_task(when_there(door, SystemClock(), over))
    await door.tried.wait()
    over.set()
    with pytest.raises(Misconfigured, match="was stopped before"):
        await waiting
