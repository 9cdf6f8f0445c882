"""A backend's limits over several workers: never passed together, and none of it is out of reach of one alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from forehearth.accounting.leases import IDLE, ROUND, Leases
from forehearth.accounting.shared_capacity import SharedCapacity
from forehearth.core.counter import Ask, Grant
from forehearth.core.document import StoreFailed
from forehearth.core.routing_settings import BackendLimits
from forehearth.stores.memory_counters import MemoryCounters
from tests.unit.accounting.virtual_time import Clock, run

WORKERS = 4


class Away(MemoryCounters):
    """A store that cannot be reached."""

    async def exchange(self, worker: str, asks: Sequence[Ask]) -> list[Grant]:
        raise StoreFailed("it is away")


@contextlib.asynccontextmanager
async def workers(
    clock: Clock, store: MemoryCounters | None = None, **limits: int
) -> AsyncIterator[list[SharedCapacity]]:
    """One backend, as each of several workers sees it."""
    store = store or MemoryCounters(clock)
    async with contextlib.AsyncExitStack() as stack:
        yield [
            SharedCapacity(
                BackendLimits(**limits),
                await stack.enter_async_context(Leases(store, clock, worker=str(index), workers=WORKERS)),
                counter="default/chat/0 backend",
            )
            for index in range(WORKERS)
        ]


async def taken(one: SharedCapacity, tokens: int, clock: Clock):
    """What a call does: what is here, else it asks."""
    return one.take(tokens, clock.monotonic()) or await one.ask(tokens)


@pytest.mark.parametrize(
    ("limits", "tokens", "most"),
    [
        ({"requests_per_minute": 10}, 1, 10),
        ({"concurrent_calls": 10}, 1, 10),
        ({"tokens_per_minute": 1_000}, 100, 10),
        ({"requests_per_minute": 500, "tokens_per_minute": 1_000, "concurrent_calls": 10}, 10, 10),
    ],
)
def test_a_limit_is_one_for_all_workers(limits, tokens, most):
    async def story(clock: Clock) -> None:
        async with workers(clock, **limits) as each:
            calls = (taken(one, tokens, clock) for _ in range(10) for one in each)
            places = await asyncio.gather(*calls)
            assert sum(place is not None for place in places) == most

    run(story)


def test_one_worker_alone_has_all_of_it():
    async def story(clock: Clock) -> None:
        async with workers(clock, concurrent_calls=8) as (first, second, *_):
            places = [await taken(first, 1, clock) for _ in range(8)]
            assert all(places)
            assert await taken(second, 1, clock) is None
            assert not second.fits(1, clock.monotonic())
            assert second.opens_at(1, clock.monotonic()) > clock.monotonic()
            for place in places:
                place.settle(None, clock.monotonic())
            await asyncio.sleep(IDLE + 2 * ROUND)
            assert second.fits(1, clock.monotonic())
            assert all([await taken(second, 1, clock) for _ in range(8)])

    run(story)


def test_what_was_not_used_is_free_for_others():
    async def story(clock: Clock) -> None:
        async with workers(clock, tokens_per_minute=1_000) as (first, second, *_):
            (await taken(first, 900, clock)).settle(100, clock.monotonic())
            await asyncio.sleep(IDLE + 2 * ROUND)
            assert await taken(second, 900, clock) is not None
            assert await taken(first, 1, clock) is None

    run(story)


def test_a_call_larger_than_the_limit_goes_alone():
    async def story(clock: Clock) -> None:
        async with workers(clock, tokens_per_minute=100) as (first, second, *_):
            place = await taken(first, 500, clock)
            assert place is not None
            place.settle(500, clock.monotonic())
            assert await taken(second, 1, clock) is None

    run(story)


def test_a_refusal_by_one_limit_holds_nothing_of_another():
    async def story(clock: Clock) -> None:
        async with workers(clock, concurrent_calls=1, requests_per_minute=2) as (first, *_):
            place = await taken(first, 1, clock)
            assert await taken(first, 1, clock) is None
            place.settle(None, clock.monotonic())
            await asyncio.sleep(IDLE + 2 * ROUND)
            assert await taken(first, 1, clock) is not None

    run(story)


def test_without_the_counters_nothing_fits(caplog):
    async def story(clock: Clock) -> None:
        async with workers(clock, Away(clock), concurrent_calls=1) as (first, *_):
            assert await taken(first, 1, clock) is None

    run(story)
    assert "it is away" in caplog.text
