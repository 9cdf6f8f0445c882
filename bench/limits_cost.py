"""`python -m bench.limits_cost`: what it costs to hold a call against two limits, in microseconds of processor time.

The limits are the usual pair: tokens per minute of the caller's key, and of the deployment. Everything of them is in
the figure: the bound of the call's tokens, both reservations, the headers of the answer, and the settlement at its end;
the store is asked as often as it is in earnest. What is around them is measured without limits, and taken off.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

from forehearth.accounting.budgets import Budget
from forehearth.accounting.leases import Leases
from forehearth.accounting.tokens import TokenBounds
from forehearth.core.call import Call, Operation
from forehearth.core.clock import SystemClock
from forehearth.core.exchange import Reply
from forehearth.core.limit_settings import LimitSettings, TokenSettings
from forehearth.core.principal import Principal
from forehearth.core.record import CallRecord
from forehearth.core.usage import Usage
from forehearth.policies.limits import HoldToLimits
from forehearth.policies.standing import LimitsOf
from forehearth.stores.sqlite.counters import SqliteCounters
from forehearth.stores.sqlite.database import open_database

ROUNDS, TIMES = 7, 5_000
AIM = 15.0
_LIMITS = (
    LimitSettings(tokens_per_minute=1_000_000_000, counter_key=("key",)),
    LimitSettings(tokens_per_minute=2_000_000_000),
)
_BODY = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "word " * 180}], "max_tokens": 100})
_REPLY = Reply(status=200, body=b"{}")
_WHO = Principal(name="shop", kind="key", id="key_1")
"""The very same object at each call, as the server has it."""
_USED = Usage(prompt=200, completion=60)


class Silent:
    """Counts nothing."""

    def refused(self, limit: str) -> None:
        """See `ports.limit_meter`."""

    def waited(self, seconds: float) -> None:
        """See `ports.limit_meter`."""

    def exceeded(self, limit: str, amount: int) -> None:
        """See `ports.limit_meter`."""


async def answered(call: Call) -> Reply:
    """What comes of a call, at once."""
    call.record.usage = _USED
    return _REPLY


def a_call() -> Call:
    """A chat completion of a kilobyte."""
    return Call(
        request_id="request",
        surface="openai_v1",
        operation=Operation.CHAT,
        name="chat",
        body=_BODY.encode(),
        principal=_WHO,
        output=100,
        output_members=("max_tokens",),
        started=0.0,
        record=CallRecord(),
    )


async def least(work: Callable[[Call], Awaitable[Reply]]) -> float:
    """Microseconds of processor time for one call, its end included; the least of several rounds."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(TIMES):
            call = a_call()
            await work(call)
            call.record.close()
        found.append((time.process_time() - began) / TIMES * 1e6)
        await asyncio.sleep(0.1)
    return min(found)


async def measure(folder: Path) -> float:
    """The cost of the two limits."""
    clock = SystemClock()
    database = open_database(folder / "counters.db", schema="counters")
    try:
        async with Leases(SqliteCounters(database, clock), clock, worker="bench") as leases:
            budgets = [
                Budget(each, resource="", section="deployments", place="chat", index=index, price_of=_no_price)
                for index, each in enumerate(_LIMITS)
            ]
            tokens = TokenBounds(TokenSettings(), "", None)
            policy = HoldToLimits("chat", LimitsOf(deployment=budgets), tokens=tokens, leases=leases, meter=Silent())
            return await least(lambda call: policy(call, answered)) - await least(answered)
    finally:
        await database.aclose()


def _no_price(call: Call, usage: Usage) -> Decimal | None:  # noqa: ARG001 - the shape of a price list
    return None


def main() -> int:
    """Measure and print; the exit status says whether the aim is reached."""
    parser = argparse.ArgumentParser(prog="python -m bench.limits_cost", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder)))
    if options.json:
        print(json.dumps({"two limits": round(found, 2)}))
    else:
        print(f"{'two limits':<16} {found:7.2f} µs   aim: at most {AIM:g}")
    return 0 if found <= AIM else 1


if __name__ == "__main__":
    sys.exit(main())
