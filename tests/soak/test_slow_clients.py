"""Two thousand clients that send or read as slowly as they can, and honest ones among them who notice nothing."""

import asyncio
import json
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from scripts.soak_report import TABLE
from tests.conftest import ROOT, StartForehearth
from tests.forehearth_server import ForehearthServer
from tests.soak import honest, slowhttptest
from tests.soak.honest import Honest
from tests.soak.length import part
from tests.soak.watching import metric, resident_mib, until

Record = Callable[[str, object], None]

HEADER, BODY, WRITE = 8, 10, 5
LIMITS = {"header_seconds": HEADER, "body_seconds": BODY, "write_seconds": WRITE}
COUNTS = {"headers": 450, "one header": 350, "body": 450, "chunks": 350, "idle": 300, "read": 100}
LASTS = {"headers": HEADER, "one header": HEADER, "body": BODY, "chunks": BODY, "idle": HEADER}
"""By pattern, the seconds after which such a client is sent away; one that does not read does not notice it."""
TIMEOUT = "HTTP/1.1 408 Request Timeout"
TOLD = {"headers": TIMEOUT, "one header": TIMEOUT, "body": TIMEOUT, "chunks": TIMEOUT, "idle": "nothing"}
LATE = 1.0
"""Seconds by which a client may be sent away too late, on a machine that holds up nobody."""
SECONDS = part(120, least=30)
SECONDS_ALONE = part(40, least=20)
WORSE = 10
"""How many times as long the slowest hundredth of honest calls may take as it does without the crowd."""
NOISE = 0.02
"""Seconds below which a percentile tells of the machine."""
LONGEST_ATTACK = slowhttptest.CONNECTIONS / slowhttptest.PER_SECOND + HEADER + LATE + 1
"""Seconds in which all of its connections are opened and closed; it counts whole ones."""
MIB_BY_READER, MIB_BY_OTHER = 1.0, 0.03


@asynccontextmanager
async def started(module: str) -> AsyncIterator[Process]:
    """Another process of the test."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def among(server: ForehearthServer) -> tuple[Honest, dict[str, Any], float]:
    """How honest calls went while the crowd was there; what became of the crowd; the most memory that was used."""
    crowd = {"port": server.port, "key": server.key, "seconds": SECONDS, "patterns": COUNTS}
    over = asyncio.Event()
    resident: list[float] = []

    async def watch() -> None:
        while not over.is_set():
            resident.append(resident_mib(server.pid))
            await asyncio.sleep(0.5)

    async def besiege(process: Process) -> dict[str, Any]:
        told, _ = await process.communicate(json.dumps(crowd).encode())
        over.set()
        return dict(json.loads(told))

    async with started("tests.soak.slow_clients") as process:
        found, told, _ = await asyncio.gather(honest.calls(server, over), besiege(process), watch())
    return found, told, max(resident)


def configuration(port: int) -> str:
    backends = {
        "long": {"provider": "openai_compatible", "base_url": f"http://127.0.0.1:{port}/v1"},
        "script": {"provider": "scripted"},
    }
    deployments = {"long": {"backends": [{"backend": "long"}]}, "chat": {"backends": [{"backend": "script"}]}}
    return json.dumps({"version": 1, "server": {"limits": LIMITS}, "backends": backends, "deployments": deployments})


def compared(before: Honest, during: Honest) -> str:
    """Honest calls without and with the others, as a table."""
    head = ["honest calls", "calls", "errors", "p50, ms", "p99, ms", "the server's processor", "callers late, ms"]
    rows = [
        [
            when,
            len(each.seconds),
            len(each.errors),
            *(f"{each.p50 * 1000:.1f}", f"{each.p99 * 1000:.1f}", f"{each.busy:.0%}", f"{each.held_up * 1000:.0f}"),
        ]
        for when, each in (("alone", before), ("among slow ones", during))
    ]
    return json.dumps([head, *rows])


def unharmed(before: Honest, during: Honest) -> bool:
    return during.p99 <= WORSE * max(before.p99, NOISE) + during.held_up


def fate(name: str, lasts: int, seconds: list[float]) -> list[object]:
    """A pattern's line in the report."""
    ends = [f"{each:.2f}" for each in (seconds[0], seconds[-1])] if seconds else ["", ""]
    return [name, COUNTS[name], len(seconds), lasts, *ends]


def wrong_with(name: str, found: dict[str, Any], late: float) -> list[str]:
    """What is wrong with how a pattern's clients were sent away, if they may be `late` by so many seconds."""
    least, most = (found["seconds"][0], found["seconds"][-1]) if found["seconds"] else (0.0, 0.0)
    wrong = []
    if found["refused"] or set(found["told"]) != {TOLD[name]}:
        wrong.append(f"{name}: {found['refused']} refused, told {found['told']}")
    if len(found["seconds"]) < COUNTS[name] or not LASTS[name] - 0.1 <= least <= most <= LASTS[name] + late:
        wrong.append(f"{name}: {len(found['seconds'])} were sent away, after {least} to {most} s")
    return wrong


async def test_slow_clients_hold_up_nobody(start_forehearth: StartForehearth, record_property: Record) -> None:
    async with started("tests.soak.endless_host") as host:
        assert host.stdout is not None
        server = await asyncio.to_thread(start_forehearth, configuration(int(await host.stdout.readline())))
        before = await honest.calls_for(server, SECONDS_ALONE)
        resident = resident_mib(server.pid)
        during, told, most = await among(server)
        assert until(lambda: metric(server.url, "forehearth_in_flight") == 0, LATE)
        readers = sorted(json.loads((await host.communicate(b""))[0]))
    fates = told["fates"]
    record_property("slow connections at once", told["most"])
    record_property("MiB more at most", round(most - resident, 1))
    record_property(f"{TABLE}how honest calls went", compared(before, during))
    head = ["slow in", "at once", "sent away", "due, s", "after at least, s", "at most, s"]
    lines = [fate(name, LASTS[name], fates[name]["seconds"]) for name in LASTS]
    lines.append(fate("read", WRITE, readers))
    record_property(f"{TABLE}what became of the slow ones", json.dumps([head, *lines]))
    late = LATE + during.held_up
    assert not [each for name in LASTS for each in wrong_with(name, fates[name], late)]
    assert len(readers) >= COUNTS["read"]
    assert readers[-1] <= WRITE + LATE + late
    assert told["most"] >= sum(COUNTS.values()) * 0.9
    assert not before.errors + during.errors
    assert unharmed(before, during)
    others = sum(COUNTS.values()) - COUNTS["read"]
    assert most - resident <= MIB_BY_READER * COUNTS["read"] + MIB_BY_OTHER * others + 20


async def test_slowhttptest_is_beaten_off(
    start_forehearth: StartForehearth, tmp_path: Path, record_property: Record
) -> None:
    record_property(slowhttptest.PROGRAM, "installed" if slowhttptest.installed() else "not installed: nothing was run")
    modes = slowhttptest.MODES if slowhttptest.installed() else ()
    rows: list[list[object]] = [["attack", "connections", "over after, s", "it says", "unanswered", "honest errors"]]
    wrong = []
    server = await asyncio.to_thread(start_forehearth, configuration(9))
    for mode in modes:
        over = asyncio.Event()
        honest_calls = asyncio.ensure_future(honest.calls(server, over))
        found = await slowhttptest.attack(f"{server.url}/openai/v1/chat/completions", mode, tmp_path)
        over.set()
        errors = (await honest_calls).errors
        rows.append([mode, slowhttptest.CONNECTIONS, found.seconds, found.status, found.unanswered, len(errors)])
        if errors or not found.beaten_off or found.seconds > LONGEST_ATTACK:
            wrong.append(f"{mode}: {found}, {errors[:3]}")
    record_property(f"{TABLE}attacks", json.dumps(rows))
    assert not wrong
