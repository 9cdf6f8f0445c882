"""`python -m bench.conversations_cost`: how long it takes to add to a conversation and to read it, where many are kept.

By default in SQLite, 10,000 conversations of 50 items of about 1 KB; `--postgres URL` measures a database, which has
to be empty. Milliseconds of the clock on the wall, one caller at a time, without HTTP, in several rounds.
`--out FOLDER` writes the page and its figures.
"""

import argparse
import asyncio
import datetime as dt
import json
import os
import random
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench import machine
from bench.state.conversations_page import NAME, markdown, spread
from forehearth.conversations.items import read_items
from forehearth.conversations.service import Conversations
from forehearth.core.clock import SystemClock
from forehearth.core.place import Place
from forehearth.core.secret import Secret
from forehearth.documents.repository import Order
from forehearth.ports.documents import DocumentStore
from forehearth.server.families import new_id
from forehearth.stores.postgres.opening import opened
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.documents import SqliteDocuments

HERE = Place(resource="bench", project="default")
AT_ONCE = 32
TRIES = 2_000
LOTS = 10**9
_ROOT = Path(__file__).resolve().parent.parent
_LOOK_SECONDS = 0.5


@asynccontextmanager
async def store(postgres: str | None) -> AsyncIterator[DocumentStore]:
    """An empty one."""
    if postgres is not None:
        async with opened(Secret(postgres), connections=8) as (documents, *_):
            yield documents
        return
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(Path(folder) / "store.db")
        try:
            yield SqliteDocuments(database)
        finally:
            await database.aclose()


def messages(count: int) -> list[dict[str, object]]:
    """As a request carries them, about 1 KB each."""
    return [{"role": "user", "content": secrets.token_hex(400)} for _ in range(count)]


async def filled(talks: Conversations, conversations: int, items: int) -> list[str]:
    """Their ids."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def make() -> str:
        async with limit:
            made = await talks.create(HERE, {"topic": "bench"}, read_items(messages(items), talks.new_id, most=None))
            return made.id

    return list(await asyncio.gather(*(make() for _ in range(conversations))))


async def measured(work: Callable[[], Awaitable[object]]) -> dict[str, float]:
    """The median, the 99th percentile and the most, in milliseconds."""
    found = []
    for _ in range(TRIES):
        began = time.perf_counter()
        await work()
        found.append((time.perf_counter() - began) * 1_000)
    found.sort()
    return {"p50": found[len(found) // 2], "p99": found[len(found) * 99 // 100], "most": found[-1]}


def works(talks: Conversations, names: Sequence[str]) -> dict[str, Callable[[], Awaitable[object]]]:
    """What is timed, each time at a conversation that chance chooses."""
    dice = random.Random(1)

    async def append(count: int) -> None:
        await talks.append(HERE, dice.choice(names), read_items(messages(count), talks.new_id))

    return {
        "list: a page of 20, the newest": lambda: talks.page(HERE, dice.choice(names)),
        "list: a page of 100, the oldest": lambda: talks.page(
            HERE, dice.choice(names), Order(limit=100, newest_first=False)
        ),
        "read everything": lambda: talks.everything(HERE, dice.choice(names), most_bytes=LOTS),
        "append 1": lambda: append(1),
        "append 20": lambda: append(20),
    }


async def run(conversations: int, items: int, rounds: int, postgres: str | None) -> dict[str, Any]:
    """Fill and measure; the record of it."""
    found: dict[str, Any] = {
        "taken": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": machine.commit(_ROOT),
        "machine": machine.describe(),
        "store": "SQLite" if postgres is None else "PostgreSQL",
        "plan": {"conversations": conversations, "items": items, "rounds": rounds, "tries": TRIES},
        "load": [],
        "rows": {},
    }
    async with store(postgres) as documents:
        talks = Conversations(documents, new_id=new_id, clock=SystemClock())
        began = time.perf_counter()
        names = await filled(talks, conversations, items)
        found["fill_seconds"] = round(time.perf_counter() - began, 1)
        for _ in range(rounds):
            found["load"].append({"busy": machine.busy_share(_LOOK_SECONDS), "average": os.getloadavg()[0]})
            for name, work in works(talks, names).items():
                found["rows"].setdefault(name, []).append(await measured(work))
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--items", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--out", type=Path, help="a folder to write the report to")
    asked = parser.parse_args()
    found = asyncio.run(run(asked.conversations, asked.items, asked.rounds, asked.postgres))
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        (asked.out / f"{NAME}.json").write_text(json.dumps(found, indent=1) + "\n")
        (asked.out / f"{NAME}.md").write_text(markdown(found))
    if asked.json:
        print(json.dumps(found))
    else:
        print(f"{asked.conversations} conversations of {asked.items} items made in {found['fill_seconds']:.0f} s")
        for name, rounds in found["rows"].items():
            print(f"{name:32} p50 {spread(rounds, 'p50')} ms   p99 {spread(rounds, 'p99')} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
