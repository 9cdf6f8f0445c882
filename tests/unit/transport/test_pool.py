"""The pool apart from the network: what a dial may do to it."""

import asyncio
import time

import msgspec
import pytest

from forehearth.core.errors import Overloaded, Unreachable
from forehearth.core.upstream import Origin, Timeouts
from forehearth.transport.limits import ClientLimits, Counters
from forehearth.transport.pool import Pool

ORIGIN = Origin(scheme="http", host="host.example")


class Wire:
    def abort(self) -> None:
        pass


class Abrupt:
    """A dialer whose host closes before the dial is through."""

    async def dial(self, origin, proxy, protocol) -> None:
        protocol.connection_made(Wire())
        protocol.connection_lost(None)


class Steady:
    """A dialer that connects at once."""

    async def dial(self, origin, proxy, protocol) -> None:
        protocol.connection_made(Wire())


class Slow:
    """A dialer that connects after the pool was closed, deaf to time."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def dial(self, origin, proxy, protocol) -> None:
        protocol.connection_made(Wire())
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            asyncio.current_task().uncancel()


async def test_a_connection_that_is_closed_at_once_takes_no_place():
    counters = Counters()
    pool = Pool(ORIGIN, Abrupt(), ClientLimits(connections_per_origin=1), counters, time.monotonic)
    for _ in range(3):
        with pytest.raises(Unreachable):
            await pool.connect(Timeouts(), time.monotonic())
        assert pool.empty
    assert (counters.connections_opened, counters.connections_closed, counters.connections_failed) == (0, 0, 3)


async def test_a_connection_that_comes_after_the_end_is_closed():
    dialer = Slow()
    pool = Pool(ORIGIN, dialer, ClientLimits(), Counters(), time.monotonic)
    call = asyncio.create_task(pool.connect(Timeouts(), time.monotonic()))
    await asyncio.sleep(0)
    assert not pool.empty
    pool.close()
    with pytest.raises(Unreachable):
        await call
    await asyncio.wait_for(pool.emptied.wait(), 1)
    assert pool.empty


async def test_an_origin_has_a_bound_of_its_own():
    pool = Pool(
        msgspec.structs.replace(ORIGIN, connections=2),
        Steady(),
        ClientLimits(waiting_per_origin=0),
        Counters(),
        time.monotonic,
    )
    for _ in range(2):
        await pool.connect(Timeouts(), time.monotonic())
    with pytest.raises(Overloaded):
        await pool.connect(Timeouts(), time.monotonic())
