"""A process of its own that holds calls against limits in a shared file, and writes down what its host counted.

    python -m tests.integration.limits.limited_worker FOLDER NAME WORKERS CALLERS LIMIT

Its callers call until nothing has been let in for a while. Each call that the host was given is one line of the log,
written before the call goes on, so that it is there whatever becomes of this process.
"""

import asyncio
import os
import random
import sys
from pathlib import Path

from forehearth.core.call import Call
from forehearth.core.clock import SystemClock
from forehearth.core.exchange import Reply
from forehearth.core.limit_settings import LimitSettings
from forehearth.stores.sqlite.counters import SqliteCounters
from forehearth.stores.sqlite.database import open_database
from tests.unit.accounting.limited import Cluster, Host, a_call

PATIENCE = 0.8
"""Seconds for which a caller comes back in vain: longer than anything stays idle with a worker."""


class Logged(Host):
    """A host that writes down what it counts."""

    def __init__(self, dice: random.Random, log: int) -> None:
        super().__init__(dice, seconds=(0.001, 0.05))
        self._log = log
        self.on_call = self._write

    def _write(self, tokens: int) -> None:
        os.write(self._log, b"%d\n" % tokens)


async def call_until_it_is_used_up(folder: Path, name: str, workers: int, callers: int, limit: int) -> None:
    clock = SystemClock()
    database = open_database(folder / "counters.db", schema="counters")
    log = os.open(folder / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    host = Logged(random.Random(name), log)
    cluster = Cluster(
        SqliteCounters(database, clock), clock, host, LimitSettings(tokens_per_year=limit), workers=workers
    )
    worker = cluster.make(name)
    async with worker.leases:
        (folder / f"{name}.ready").touch()

        async def caller() -> None:
            since = clock.monotonic()
            while clock.monotonic() - since < PATIENCE:
                if isinstance(await worker.call(one()), Reply):
                    since = clock.monotonic()
                else:
                    await asyncio.sleep(host.dice.uniform(0.02, 0.1))

        await asyncio.gather(*(caller() for _ in range(callers)))
    await database.aclose()


def one() -> Call:
    return a_call(max_tokens=200)


if __name__ == "__main__":
    place, name, *figures = sys.argv[1:]
    asyncio.run(call_until_it_is_used_up(Path(place), name, *map(int, figures)))
