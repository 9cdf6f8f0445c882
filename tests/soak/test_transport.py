"""The outbound client under faults drawn by chance, for long: every call ends in time, and nothing is left behind."""

import asyncio
import gc
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest
import uvloop

from forehearth.core.errors import Broken, Overloaded, TimedOut, Unreachable
from forehearth.core.upstream import Origin, Request, Timeouts
from forehearth.testing.fault_proxy import Fault, FaultProxy
from forehearth.testing.raw_upstream import Peer, RawUpstream
from forehearth.transport.client import HttpClient
from forehearth.transport.limits import ClientLimits
from tests.soak.length import part
from tests.unit.dice import by_dice
from tests.unit.transport.exchange import judge_cut, judge_damage

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
CUT, DAMAGED = part(300_000, least=2_000), part(200_000, least=2_000)
FAULTY_CALLS = part(30_000)
AT_ONCE = 60
PLAIN_CALLS = part(300_000, least=80_000)
WARM_UP = 60_000
LIMITS = ClientLimits(connections_per_origin=40, waiting_per_origin=40, body_bytes=500_000, idle_seconds=2.0)
TIMES = Timeouts(connect=1.0, first_byte=0.5, idle=0.4, total=1.5)
ALLOWED = 20.0
"""Seconds in which any call must be over: far more than its time, on a machine with other work."""

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
KINDS = ("latency", "drip", "hang", "reset", "half_close", "truncate", "black_hole")


@pytest.fixture(scope="module")
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_responses_however_they_are_cut(loop, record_property):
    @by_dice(CUT)
    def judge(dice):
        judge_cut(loop, dice.getrandbits(64), dice.randbytes(dice.randrange(9)))

    judge()
    record_property("responses", CUT)


def test_responses_however_they_are_damaged(loop, record_property):
    @by_dice(DAMAGED)
    def judge(dice):
        noise = dice.randbytes(dice.randrange(5))
        judge_damage(loop, dice.getrandbits(64), dice.randrange(256), noise, dice.randrange(5))

    judge()
    record_property("responses", DAMAGED)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def some_fault(dice: random.Random) -> Fault | None:
    if dice.random() < 0.3:
        return None
    kind = dice.choice(KINDS)
    return Fault(kind=kind, after=dice.choice((0, 1, 40, 100, 150, 5_000)), seconds=dice.uniform(0, 0.05), size=200)


async def answers(peer: Peer, dice: random.Random) -> None:
    """Whole answers and streams, some of them wrong or cut short."""
    while await peer.request():
        peer._upstream.requests.clear()
        choice = dice.random()
        if choice < 0.4:
            await peer.send(OK)
        elif choice < 0.8:
            chunks = [b"%x\r\n%b\r\n" % (size, b"e" * size) for size in (dice.randint(1, 3_000) for _ in range(10))]
            await peer.send(EVENTS, *chunks, b"0\r\n\r\n", pause=dice.choice((0, 0.002)))
        elif choice < 0.85:
            await peer.send(OK[: dice.randrange(len(OK))])
            return
        elif choice < 0.9:
            peer.reset()
            return
        elif choice < 0.95:
            await peer.send(dice.randbytes(100))
            await peer.closed()
            return
        else:
            await peer.send(OK + OK)


async def one_call(client: HttpClient, origin: Origin, dice: random.Random, outcomes: Counter[str]) -> None:
    leaves = dice.uniform(0, 0.1) if dice.random() < 0.2 else ALLOWED
    began = time.monotonic()
    try:
        async with asyncio.timeout(leaves):
            body = b"x" * dice.choice((2, 2, 2, 300_000))
            response = await client.send(Request(origin=origin, target=b"/", body=body, timeouts=TIMES))
            if response.stream is None:
                outcomes["whole"] += 1
                return
            try:
                async for _ in response.stream:
                    if dice.random() < 0.02:
                        outcomes["stream left"] += 1
                        return
                outcomes["stream"] += 1
            finally:
                await response.stream.aclose()
    except (Unreachable, Overloaded, TimedOut, Broken) as error:
        outcomes[type(error).__name__] += 1
    except TimeoutError:
        assert leaves != ALLOWED, f"a call hung for {time.monotonic() - began:.1f} s"
        outcomes["cancelled"] += 1


async def storm(seed: int) -> tuple[Counter[str], Counter[str], HttpClient]:
    dice = random.Random(seed)
    outcomes: Counter[str] = Counter()
    async with (
        RawUpstream(lambda peer: answers(peer, dice)) as upstream,
        FaultProxy(upstream.port, choose=lambda _: some_fault(dice)) as proxy,
        HttpClient(limits=LIMITS) as client,
    ):
        origin = Origin(scheme="http", host="127.0.0.1", port=proxy.port)

        async def caller() -> None:
            for _ in range(FAULTY_CALLS // AT_ONCE):
                await one_call(client, origin, dice, outcomes)

        await asyncio.gather(*[caller() for _ in range(AT_ONCE)])
        async with asyncio.timeout(ALLOWED):  # what is kept grows idle, and goes
            while client._pools or client._sweeping is not None:  # noqa: ASYNC110 - what is waited for tells nobody
                await asyncio.sleep(0.1)
        assert client.open_connections == 0
        assert client.counters.connections_opened == client.counters.connections_closed
        assert client.counters.stale_retries <= client.counters.reused
        async with asyncio.timeout(ALLOWED):
            while proxy.open or upstream.open:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return outcomes, upstream.fired + proxy.fired, client


@pytest.mark.parametrize("kind", LOOPS)
def test_faults_by_chance(kind, record_property):
    seed = random.randrange(2**32)
    record_property("seed", seed)
    with asyncio.Runner(loop_factory=LOOPS[kind]) as runner:
        runner.run(asyncio.sleep(0))  # the first loop of its kind opens files that stay
    before = open_files()
    with asyncio.Runner(loop_factory=LOOPS[kind]) as runner:
        outcomes, fired, client = runner.run(storm(seed))
    gc.collect()
    for name, count in sorted(outcomes.items()):
        record_property(f"calls: {name}", count)
    for name, count in sorted(fired.items()):
        record_property(f"fired: {name}", count)
    for name in client.counters.__slots__:
        record_property(f"counter: {name}", getattr(client.counters, name))
    assert outcomes.total() == FAULTY_CALLS // AT_ONCE * AT_ONCE
    assert all(fired[kind] > 0 for kind in KINDS)
    assert {"whole", "stream", "Broken", "TimedOut", "cancelled"} <= set(outcomes)
    assert open_files() <= before


async def many_calls(figures: dict[str, float]) -> None:
    async def serve(peer: Peer) -> None:
        while request := await peer.request():
            peer._upstream.requests.clear()
            await peer.send(EVENTS + b"2\r\nok\r\n0\r\n\r\n" if request.startswith(b"POST /s") else OK)

    async with RawUpstream(serve) as upstream, HttpClient() as client:
        whole, streamed = (Request(origin=upstream.origin(), target=t, body=b"{}") for t in (b"/w", b"/s"))

        async def caller(calls: int) -> None:
            for number in range(calls):
                response = await client.send(streamed if number % 5 == 0 else whole)
                if response.stream is not None:
                    assert [piece async for piece in response.stream] == [b"ok"]

        async def stretch(calls: int) -> None:
            await asyncio.gather(*[caller(calls // 32) for _ in range(32)])
            gc.collect()

        await stretch(WARM_UP)
        tasks, files, objects, resident = len(asyncio.all_tasks()), open_files(), len(gc.get_objects()), resident_mib()
        await stretch(PLAIN_CALLS - WARM_UP)
        figures["connections opened"] = client.counters.connections_opened
        figures["tasks more"] = len(asyncio.all_tasks()) - tasks
        figures["files more"] = open_files() - files
        figures["objects more"] = len(gc.get_objects()) - objects
        figures["MiB more per 100,000 calls"] = round(
            (resident_mib() - resident) / (PLAIN_CALLS - WARM_UP) * 100_000, 3
        )


@pytest.mark.parametrize("kind", LOOPS)
def test_many_calls_leave_nothing(kind, record_property):
    figures: dict[str, float] = {}
    with asyncio.Runner(loop_factory=LOOPS[kind]) as runner:
        runner.run(many_calls(figures))
    for name, value in figures.items():
        record_property(name, value)
    assert figures["connections opened"] == 32
    assert figures["tasks more"] == figures["files more"] == 0
    assert figures["objects more"] < 500
    assert figures["MiB more per 100,000 calls"] <= 1.0
