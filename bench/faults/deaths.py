"""T18: `kill -9` at any moment of writing, rotating, folding and taking over what is in the ledger's journals."""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import msgspec

from bench.errors import FailedError
from bench.faults.figures import Outcome, Part, Stage, at_most, plain
from bench.faults.hosts import until
from bench.faults.open_loop import Callers
from bench.faults.served import forehearth
from forehearth.core.ledger import LedgerRecord
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.ledger import SqliteLedger
from tests.integration.ledger.mortal import UNDER_WAY, fold_of
from tests.unit.accounting.books import everything

DEATHS, RESTARTS = 500, 20
SOON = 5.0
"""Seconds."""
_OPEN, _PATIENCE = 50, 5.0
_CONFIGURATION = json.dumps(
    {
        "version": 1,
        "server": {"tls_port": None, "workers": 2},
        "backends": {"host": {"provider": "scripted", "rules": [{"when": {"contains": "slow"}, "delay": 30}]}},
        "deployments": {"chat": {"backends": [{"backend": "host"}]}},
    }
)
_ROOT = Path(__file__).resolve().parent.parent.parent


class Survived(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the ledger after so many deaths, beside the notes of those who died."""

    ended: int
    """Calls that a worker had seen to their end."""
    lost: int
    """Calls that were begun and are in no record."""
    invented: int
    """Records of calls that nobody was about to begin."""
    flagged_though_ended: int
    wrong: int
    """Records without the tokens that they must have."""
    crashed: int
    too_many_crashed: int
    """Beyond the calls that were under way at the deaths."""
    left: int
    """Journals that were not folded."""
    taking_over: int
    """Workers that died beside journals of others."""
    removed: int
    """Segments that workers had folded and removed before they died."""

    @property
    def sound(self) -> bool:
        """Whether nothing is lost, doubled or wrong."""
        return not (
            self.lost or self.invented or self.flagged_though_ended or self.wrong or self.too_many_crashed or self.left
        )


async def die(folder: Path, deaths: int) -> Survived:
    """Have so many workers killed in a folder, and see what is in the ledger then."""
    command = [sys.executable, "-m", "tests.integration.ledger.mortal", str(folder), str(deaths), "7"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=_ROOT, stdout=pipe, stderr=pipe)
    said, complained = await process.communicate()
    if process.returncode:
        raise FailedError(complained.decode()[-4_000:])
    died = json.loads(said)
    database = open_database(folder / "ledger.db", schema="ledger")
    store = SqliteLedger(database)
    await fold_of(folder, store).take_over()
    found = {each.id: each for each in await everything(store)}
    await database.aclose()
    before, began, ended = (_lines(folder / name) for name in ("before", "began", "ended"))
    flagged = {name for name, each in found.items() if each.flag == "crashed"}
    return Survived(
        ended=len(ended),
        lost=len(began - found.keys()),
        invented=len(found.keys() - before),
        flagged_though_ended=sum(bool(found[each].flag) for each in ended if each in found),
        wrong=sum(_is_wrong(each, crashed=name in flagged) for name, each in found.items()),
        crashed=len(flagged),
        too_many_crashed=max(0, len(flagged) - UNDER_WAY * deaths),
        left=_journals(folder),
        taking_over=died["taking_over"],
        removed=died["removed"],
    )


def _is_wrong(record: LedgerRecord, *, crashed: bool) -> bool:
    """A settled call has its own tokens, a crashed one what was reserved for it."""
    return (record.prompt, record.completion) != ((300, 1_000) if crashed else (12, 30))


def _journals(folder: Path) -> int:
    return len(list((folder / "journal").iterdir()))


def _lines(path: Path) -> set[str]:
    lines = path.read_text().splitlines()
    if len(lines) != len(set(lines)):
        raise FailedError(f"{path.name} has a call twice")
    return set(lines)


async def measure(stage: Stage) -> Outcome:
    """Deaths of workers, then of the whole server while it has calls."""
    deaths, restarts = stage.count(DEATHS, 10), stage.count(RESTARTS, 1)
    stage.say(f"{deaths} deaths of workers")
    found = await die(stage.folder, deaths)
    stage.say(f"{restarts} deaths of the server")
    slowest = 0.0
    for number in range(restarts):
        slowest = max(slowest, await _recover(stage.folder / f"server-{number}"))
    return Outcome(
        figures=[
            plain("calls seen to their end by workers that were killed", found.ended),
            at_most("begun calls that are in no record", found.lost, 0),
            at_most("records of calls that nobody began", found.invented, 0),
            at_most("records that are flagged though the call had ended", found.flagged_though_ended, 0),
            at_most("records with other tokens than they must have", found.wrong, 0),
            plain("records of calls under way at a death, booked as reserved and flagged", found.crashed),
            at_most("of them more than were under way", found.too_many_crashed, 0),
            at_most("journals that are left", found.left, 0),
            at_most(f"the server killed with {_OPEN} calls: until a new one answers", slowest, SOON, "s", digits=2),
            plain("workers that were killed while journals of others were there", found.taking_over),
            plain("segments that workers folded and removed before they were killed", found.removed),
        ],
        fired={"workers killed": deaths, "servers killed": restarts},
    )


async def _recover(folder: Path) -> float:
    """Kill a server and all its workers while they have calls; seconds until the next one has answered."""
    async with forehearth(_CONFIGURATION, folder) as server, Callers(server) as callers:
        calls = [asyncio.create_task(callers.call("slow")) for _ in range(_OPEN)]
        await until(lambda: _established(server.port) >= _OPEN, _PATIENCE)
        for pid in (server.pid, *server.workers()):
            os.kill(pid, signal.SIGKILL)
        await asyncio.gather(*calls)
        began = time.monotonic()
        async with forehearth(_CONFIGURATION, folder) as again, Callers(again) as others:
            came = await others.call()
            seconds = time.monotonic() - began
    if came.status != 200:
        raise FailedError(f"the next server answered {came.status}")
    return seconds


def _established(port: int) -> int:
    """Connections to a port of this machine, as the kernel knows them."""
    end = f":{port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(end) and row[3] == "01" for row in rows)


PART = Part(
    title="Deaths while the ledger is written",
    done=(
        f"{DEATHS} workers are killed with `kill -9` at moments that chance chooses, while they write calls down, fold "
        "them into the ledger and take over what the one before left; then the ledger is compared with their "
        f"notes. {RESTARTS} times a server is killed with all its workers while it has calls, and started anew."
    ),
    measure=measure,
)
