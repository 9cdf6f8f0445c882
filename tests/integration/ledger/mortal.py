"""Workers that write calls down and fold them, and that are killed: `mortal FOLDER DEATHS SEED`.

One process forks them one after the other, so that a death costs milliseconds. Each takes over what the one before
left, goes on with calls of its own, and folds as fast as it can, until it is killed at some moment. What it did is in
three files that it appends to: calls that it was about to begin, that it began, and that it ended.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from random import Random

import msgspec

from forehearth.accounting.folding import Fold, Folding
from forehearth.accounting.journal import Journal
from forehearth.accounting.journal import segments as segments_of
from forehearth.accounting.outcomes import crashed
from forehearth.core.clock import SystemClock
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.ledger import SqliteLedger
from tests.unit.accounting.books import Counts, encoded, intent, record

SEGMENT_BYTES = 4_000
"""A few calls, so that segments come and go all the time."""
UNDER_WAY = 6
MOST_SEGMENTS = 3
"""With more of them it waits until folding has caught up."""
SHORTEST_LIFE, LONGEST_LIFE = 0.02, 0.4


def main(folder: Path, deaths: int, seed: int) -> int:
    """Kill so many workers; print how many died beside journals of others, and how many segments they had removed."""
    dice = Random(seed)
    taking_over = removed = 0
    for number in range(deaths):
        child = os.fork()
        if not child:
            os._exit(live(folder, number, seed))
        time.sleep(dice.uniform(SHORTEST_LIFE, LONGEST_LIFE))
        taking_over += sum(1 for each in _journals(folder)) > 1
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        removed += _removed(folder / "journal" / f"0-{number}")
    sys.stdout.write(msgspec.json.encode({"taking_over": taking_over, "removed": removed}).decode())
    return 0


def live(folder: Path, number: int, seed: int) -> int:
    """Be a worker until the end."""
    asyncio.run(_live(folder, number, Random(f"{seed}-{number}")))
    return 0


async def _live(folder: Path, number: int, dice: Random) -> None:
    notes = {
        name: os.open(folder / name, os.O_CREAT | os.O_APPEND | os.O_WRONLY) for name in ("before", "began", "ended")
    }
    database = open_database(folder / "ledger.db", schema="ledger")
    journal = Journal.create(folder / "journal", f"0-{number}", segment_bytes=SEGMENT_BYTES)
    fold = fold_of(folder, SqliteLedger(database))
    folding = asyncio.create_task(Folding(journal, fold).run(lambda _: asyncio.sleep(0)))
    open_calls: list[str] = []
    made = 0
    while not folding.done():
        await asyncio.sleep(0)
        if journal.segment - _oldest(journal.folder) >= MOST_SEGMENTS:
            continue
        if len(open_calls) < UNDER_WAY:
            made += 1
            call = f"{number}-{made}"
            os.write(notes["before"], f"{call}\n".encode())
            journal.begin(call, encoded(intent(call)))
            os.write(notes["began"], f"{call}\n".encode())
            open_calls.append(call)
        else:
            call = open_calls.pop(dice.randrange(1, len(open_calls)))  # the first one lasts
            journal.end([call], encoded(record(call)))
            os.write(notes["ended"], f"{call}\n".encode())
    folding.result()


def fold_of(folder: Path, store: SqliteLedger) -> Fold:
    """From the journals in a folder to the ledger in it."""
    return Fold(
        root=folder / "journal",
        store=store,
        booked=lambda each: crashed(each, None),
        meter=Counts(),
        clock=SystemClock(),
    )


def _removed(journal: Path) -> int:
    """How many segments of a journal were folded and removed while its worker lived."""
    return _oldest(journal) - 1 if journal.is_dir() else 0


def _oldest(journal: Path) -> int:
    return min((int(each.name) for each in segments_of(journal)), default=1)


def _journals(folder: Path) -> list[Path]:
    root = folder / "journal"
    return [each for each in root.iterdir() if not each.name.startswith(".")] if root.is_dir() else []


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
