"""Half a million calls of every kind: how much more memory the server has for each hundred thousand of them."""

import asyncio
import json
import statistics
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from bench import compiler, payloads
from bench.errors import FailedError
from bench.faults.figures import Outcome, Part, Stage, at_least, at_most, plain
from bench.faults.served import Served, forehearth
from bench.load import Order, run
from bench.payloads import FEW_WRITES
from bench.processes import Cores
from bench.upstream import Upstream, upstream

CALLS, ROUNDS, SETTLED = 500_000, 20, 0.2
MOST_MIB = 1.0
"""For each 100,000 calls, after the first fifth, in which pools and caches fill."""
_TARGET = "/openai/v1/chat/completions"
_WORK = Path(__file__).resolve().parent.parent / ".work"
KINDS = {"whole": 80, "streamed": 5, "over its limit": 5, "to a deployment that there is not": 5, "with a bad key": 5}
"""Percent of the calls."""


async def measure(stage: Stage) -> Outcome:
    """Rounds of all kinds, and a look at the memory after each."""
    calls, rounds = stage.count(CALLS, 4_000), stage.count(ROUNDS, 4)
    with upstream(_WORK, Cores.choose().load) as mock:
        async with forehearth(_configuration(mock), stage.folder) as server:
            points, asked, wrong = await asyncio.to_thread(_rounds, stage, server, calls, rounds)
    settled = [(made, mib) for made, mib in points if made >= SETTLED * calls]
    per_lakh = slope(settled) * 100_000
    return Outcome(
        figures=[
            at_least("calls", asked.total(), calls),
            *(plain(f"of them {name}", number) for name, number in asked.items()),
            at_most("calls that were told anything else than they are owed", wrong, 0),
            plain("memory of server and worker at the first and the last look", _said(settled)),
            at_most("more memory for each 100,000 calls", per_lakh, MOST_MIB, "MiB", digits=2),
        ]
    )


def _said(points: Sequence[tuple[int, float]]) -> str:
    return f"{points[0][1]:.1f}, {points[-1][1]:.1f} MiB"


def slope(points: Sequence[tuple[int, float]]) -> float:
    """The median of the slopes between any two points: a single jump does not bend it."""
    return statistics.median(
        (after - before) / (late - early) for (early, before), (late, after) in combinations(points, 2)
    )


def _rounds(stage: Stage, server: Served, calls: int, rounds: int) -> tuple[list[tuple[int, float]], Counter[str], int]:
    load, core = compiler.build("load", _WORK), Cores.choose().load
    orders = _orders(server, stage.folder, calls // rounds)
    points, asked, wrong = [], Counter[str](), 0
    for number in range(1, rounds + 1):
        for name, order in orders.items():
            seen = run(load, core, order)
            asked[name] += seen.sent
            refused = seen.faults.get("status", 0)
            right = seen.ok if name in ("whole", "streamed") else refused
            wrong += seen.sent - right
            if not seen.sent:
                raise FailedError(f"no call {name} was sent: {seen.first_fault}")
        points.append((number * calls // rounds, server.rss_bytes() / 2**20))
        if number % 5 == 0:
            stage.say(f"{number * calls // rounds:,} of {calls:,} calls, {points[-1][1]:.1f} MiB")
    return points, asked, wrong


def _orders(server: Served, folder: Path, count: int) -> dict[str, Order]:
    good = {"authorization": f"Bearer {server.key}"}
    bad = {"authorization": "Bearer of-nobody"}
    models = {"over its limit": "narrow", "to a deployment that there is not": "nowhere"}
    orders = {}
    for name, share in KINDS.items():
        streamed = name == "streamed"
        body = payloads.request_body(models.get(name, "bench"), FEW_WRITES if streamed else None)
        headers = bad if name == "with a bad key" else good
        request = payloads.write_request(folder / name.replace(" ", "-"), _TARGET, headers, body)
        orders[name] = Order(
            port=server.port,
            request=request,
            connections=32,
            seconds=120.0,
            limit=max(1, count * share // 100),
            events=payloads.EVENTS if streamed else 0,
            marker=payloads.MARKER if name == "whole" else "",
        )
    return orders


def _configuration(mock: Upstream) -> str:
    wide = [{"tokens_per_minute": 10**12}, {"requests_per_minute": 10**9, "counter_key": ["key"]}]
    prices = {"input": "2.50", "output": "10"}
    backends = [{"backend": "mock"}]
    return json.dumps(
        {
            "version": 1,
            "server": {"tls_port": None},
            "log": {"level": "error"},
            "backends": {"mock": {"provider": "openai_compatible", "base_url": mock.base_url}},
            "deployments": {
                "bench": {"backends": backends, "limits": wide, "prices": prices},
                "narrow": {"backends": backends, "limits": [{"tokens_per_year": 100}]},
            },
        }
    )


PART = Part(
    title="Memory over half a million calls",
    done=(
        f"{CALLS:,} calls on 32 connections to one worker with a key, two limits, prices, ledger and metrics: "
        f"{', '.join(f'{share} % {name}' for name, share in KINDS.items())}, in {ROUNDS} rounds. The slope is the "
        "median of those between any two looks after the first fifth."
    ),
    measure=measure,
)
