"""`python -m bench.ledger_cost`: what it costs to write calls down, in microseconds of processor time a call.

    journal   the two layers of a call, intent and outcome, to files on this machine's disk
    hit       a call that has no intent, because a cache answered it
    folding   from the journal to the ledger, in the background, in one transaction of 500 calls

Each is the least of several rounds, because the machine's other work only ever adds.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from forehearth.accounting.folding import Fold, Folding
from forehearth.accounting.journal import Journal
from forehearth.accounting.outcomes import crashed
from forehearth.accounting.prices import Step, Tariff
from forehearth.accounting.served import Served
from forehearth.core.call import Call, Operation
from forehearth.core.clock import SystemClock
from forehearth.core.exchange import Reply
from forehearth.core.principal import Principal
from forehearth.core.record import Attempt, CallRecord, Touched
from forehearth.core.usage import Usage
from forehearth.policies.journal import WriteDown
from forehearth.policies.onion import Proceed, compose
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.ledger import SqliteLedger
from forehearth.telemetry.cells import Cells
from forehearth.telemetry.metrics import Metrics

ROUNDS = 7
CALLS = 5_000
AT_A_TIME = 50
"""Calls that are made before they are measured, together."""
TOGETHER = 500
AIMS = {"journal": 10.0, "hit": 10.0, "folding": 40.0}
_TARIFF = Tariff(
    steps=(Step(input=2_500_000, cached_input=1_250_000, output=10_000_000),),
    currency="USD",
    version="bench",
)
_WHO = Principal(name="shop", kind="key", id="key_3f0c9b6a2e7d4a51b8c6d2e4f0a1b2c3")


def call(number: int) -> Call:
    """A call of a deployment with two limits, of which its backend reported what it used."""
    record = CallRecord(
        deployment="chat",
        backend="azure-eu",
        model="gpt-4o",
        estimated=1_100,
        reserved=5_196,
        usage=Usage(prompt=240, completion=80, cached=128),
        status=200,
        outcome="ok",
        limits=[
            Touched(name="deployments.chat.limits[0].tokens_per_minute", reserved=5_196, left=94_804),
            Touched(name="products.standard.limits[0].requests_per_minute", reserved=1, left=599),
        ],
        attempts=[Attempt(backend="azure-eu", began=time.monotonic(), outcome="ok", status=200, seconds=0.4)],
    )
    return Call(
        request_id=f"10d3527d-064e-40d5-afe5-{number:012d}",
        surface="openai_v1",
        operation=Operation.CHAT,
        name="default",
        body=b"",
        principal=_WHO,
        started=time.monotonic(),
        record=record,
    )


async def _answer(_: Call) -> Reply:
    return _REPLY


_REPLY = Reply(status=200)


def _written(folder: Path) -> tuple[Journal, WriteDown]:
    journal = Journal.create(folder, str(time.time_ns()))
    writing = WriteDown(journal, SystemClock(), Metrics(Cells(folder / "metrics", "0")).ledger)
    writing.served["chat"] = Served(
        resource="here", name="chat", price_of=lambda _, __, usage: _TARIFF.price(usage), bound=_bound
    )
    return journal, writing


def _bound(_: Call) -> Usage:
    return Usage(prompt=1_000, completion=4_096)


def _drive(work: Coroutine[Any, Any, Any]) -> None:
    """Run what never waits, without a loop around it."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits")


def spent(way: Proceed) -> float:
    """Microseconds of processor time that a way takes a call, its end included: the least of short whiles."""
    found = []
    for start in range(0, CALLS, AT_A_TIME):
        calls = [call(start + number) for number in range(AT_A_TIME)]
        began = time.process_time()
        for each in calls:
            _drive(way(each))  # type: ignore[arg-type]  # an awaitable, which is a coroutine here
            each.record.close()
        found.append((time.process_time() - began) / AT_A_TIME)
    return min(found) * 1e6


def layers(folder: Path) -> tuple[float, float]:
    """A call with an intent, and one without."""
    found: dict[str, list[float]] = {"none": [], "both": [], "outcome": []}
    for _ in range(ROUNDS):
        journal, writing = _written(folder)
        ways = {
            "none": compose([], _answer),
            "both": compose([writing.outcomes, writing.intents], _answer),
            "outcome": compose([writing.outcomes], _answer),
        }
        for name, way in ways.items():
            found[name].append(spent(way))
        journal.close()
    least = {name: min(each) for name, each in found.items()}
    return least["both"] - least["none"], least["outcome"] - least["none"]


async def folding(folder: Path) -> float:
    """From a journal to a ledger in SQLite."""
    database = open_database(folder / "ledger.db", schema="ledger")
    store, number, found = SqliteLedger(database), 0, []
    for _ in range(ROUNDS):
        journal, writing = _written(folder)
        way = compose([writing.outcomes, writing.intents], _answer)
        meter = Metrics(Cells(folder / "metrics", "0")).ledger
        fold = Folding(
            journal,
            Fold(
                root=folder, store=store, booked=lambda intent: crashed(intent, None), meter=meter, clock=SystemClock()
            ),
        )
        began = 0.0
        for _ in range(CALLS // TOGETHER):
            calls = [call(number + each) for each in range(TOGETHER)]
            number += TOGETHER
            for each in calls:
                await way(each)
                each.record.close()
            before = time.process_time()
            await fold.fold()
            began += time.process_time() - before
        found.append(began / CALLS * 1e6)
        journal.close()
    await database.aclose()
    return min(found)


def main() -> int:
    """Measure and print; the exit status says whether the aims are reached."""
    parser = argparse.ArgumentParser(prog="python -m bench.ledger_cost", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        both, hit = layers(Path(folder))
        found = {"journal": both, "hit": hit, "folding": asyncio.run(folding(Path(folder)))}
    if options.json:
        print(json.dumps({name: round(value, 2) for name, value in found.items()}))
    else:
        for name, value in found.items():
            print(f"{name:<16} {value:7.2f} µs   aim: at most {AIMS[name]:g}")
    return 0 if all(value <= AIMS[name] for name, value in found.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
