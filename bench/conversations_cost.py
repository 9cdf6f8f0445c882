"""`python -m bench.conversations_cost`: how long it takes to add to a conversation and to read it, where many are kept.

By default in SQLite, 10,000 conversations of 50 items of about 1 KB; `--postgres URL` measures a database, which has
to be empty. Milliseconds of the clock on the wall, one caller at a time, without HTTP.
"""

import argparse
import asyncio
import random
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

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


@asynccontextmanager
async def store(postgres: str | None) -> AsyncIterator[DocumentStore]:
    """An empty one."""
    if postgres is not None:
        async with opened(Secret(postgres), connections=8) as (documents, _):
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


async def measured(work: Callable[[], Awaitable[object]]) -> str:
    """The median and the 99th percentile, in milliseconds."""
    found = []
    for _ in range(TRIES):
        began = time.perf_counter()
        await work()
        found.append((time.perf_counter() - began) * 1_000)
    found.sort()
    return f"p50 {found[len(found) // 2]:.2f} ms  p99 {found[len(found) * 99 // 100]:.2f} ms"


async def run(conversations: int, items: int, postgres: str | None) -> None:
    """Fill, measure, print."""
    async with store(postgres) as documents:
        talks = Conversations(documents, new_id=new_id, clock=SystemClock())
        began = time.perf_counter()
        names = await filled(talks, conversations, items)
        print(f"{conversations} conversations of {items} items made in {time.perf_counter() - began:.0f} s")
        dice = random.Random(1)

        async def append(count: int) -> None:
            await talks.append(HERE, dice.choice(names), read_items(messages(count), talks.new_id))

        works: dict[str, Callable[[], Awaitable[object]]] = {
            "a page of 20, the newest": lambda: talks.page(HERE, dice.choice(names)),
            "a page of 100": lambda: talks.page(HERE, dice.choice(names), Order(limit=100, newest_first=False)),
            "everything": lambda: talks.everything(HERE, dice.choice(names), most_bytes=LOTS),
            "append 1": lambda: append(1),
            "append 20": lambda: append(20),
        }
        for name, work in works.items():
            print(f"{name:26} {await measured(work)}")


def main() -> None:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--items", type=int, default=50)
    parser.add_argument("--postgres")
    asked = parser.parse_args()
    asyncio.run(run(asked.conversations, asked.items, asked.postgres))


if __name__ == "__main__":
    main()
