"""Opens what calls are written down in, and folds it into the ledger as long as the worker works."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from forehearth.accounting.folding import Fold, Folding
from forehearth.accounting.journal import Journal, new_name
from forehearth.accounting.outcomes import crashed
from forehearth.accounting.served import PriceOf, Served
from forehearth.accounting.tokens import TokenBounds
from forehearth.admin.usage import LedgerOffice, Sleep
from forehearth.core.call import Call
from forehearth.core.clock import Clock
from forehearth.core.document import StoreFailed
from forehearth.core.errors import Misconfigured
from forehearth.core.ledger import Flag, Intent, LedgerRecord
from forehearth.core.ledger_settings import LedgerSettings
from forehearth.core.usage import Usage
from forehearth.policies.journal import WriteDown
from forehearth.policies.onion import Policy
from forehearth.ports.ledger_meter import LedgerMeter
from forehearth.routing.deployment import Deployment
from forehearth.server.context import WorkerContext
from forehearth.server.data_directory import DataDirectory
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.ledger import SqliteLedger

FILE = "ledger.db"
FOLDER = "journal"
PRUNE_SECONDS = 3_600.0
_LONGEST_ANSWER = 1_000_000_000
"""What a caller may ask for at the most, as far as the ledger is concerned: nobody has as many tokens."""
_DAY = 86_400.0

_log = logging.getLogger("forehearth.ledger")


class Ledger(NamedTuple):
    """What this worker writes calls down with, and what operators see of all of them."""

    writing: WriteDown
    office: LedgerOffice


def written_down(
    writing: WriteDown, resource: str, deployment: Deployment, bounds: TokenBounds, price_of: PriceOf
) -> tuple[Policy, Policy]:
    """The outermost layer of a deployment's calls, and the one next to those that ask its backends."""

    def bound(call: Call) -> Usage:
        found = bounds.of(call, None)
        return Usage(prompt=found.prompt, completion=min(found.answer, _LONGEST_ANSWER), counted=True)

    writing.served[deployment.label] = Served(resource=resource, name=deployment.name, price_of=price_of, bound=bound)
    return writing.outcomes, writing.intents


@contextlib.asynccontextmanager
async def opened_ledger(
    context: WorkerContext, clock: Clock, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[Ledger | None]:
    """This worker's journal and the ledger it is folded into; None where calls are not recorded.

    Raises `Misconfigured` when they cannot be used.
    """
    settings = context.settings.ledger
    if not settings.enabled:
        yield None
        return
    async with _store(context.data) as store:
        meter, root = context.metrics.ledger, context.data.path / FOLDER
        journal = _journal(root, context.index, clock, meter)
        soon = asyncio.get_running_loop().call_soon
        writing = WriteDown(journal, clock, meter, refuses=settings.unwritable == "refuse", soon=soon)
        fold = Fold(root=root, store=store, booked=_booking(writing.served), meter=meter, clock=clock)
        folding = Folding(journal, fold)
        tasks = [
            asyncio.create_task(folding.run(sleep)),
            asyncio.create_task(_prune(store, settings, clock, sleep)),
        ]
        try:
            yield Ledger(writing, LedgerOffice(store, _folded_by(writing, folding), asyncio.sleep))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            writing.write_ended()
            journal.close(held=True)
            try:
                await folding.finish()
            except (StoreFailed, OSError) as error:
                _log.warning("what is in the journal is folded at the next start: %s", error)
            finally:
                journal.let_go()


@contextlib.asynccontextmanager
async def offline_ledger(data: DataDirectory, clock: Clock) -> AsyncIterator[LedgerOffice]:
    """The ledger of a data directory that no server works in, with all that its servers left in their journals."""
    async with _store(data) as store:
        fold = Fold(root=data.path / FOLDER, store=store, booked=_booking({}), meter=_Nobody(), clock=clock)
        yield LedgerOffice(store, fold.take_over, asyncio.sleep, patience=0.0)


@contextlib.asynccontextmanager
async def _store(data: DataDirectory) -> AsyncIterator[SqliteLedger]:
    database = await asyncio.to_thread(open_database, data.path / FILE, schema="ledger")
    try:
        yield SqliteLedger(database)
    finally:
        await database.aclose()


def _journal(root: Path, worker: int, clock: Clock, meter: LedgerMeter) -> Journal:
    def lost(count: int) -> None:
        meter.unwritten("lost", count)

    try:
        return Journal.create(root, new_name(worker, int(clock.unix() * 1e9)), lost=lost)
    except OSError as error:
        raise Misconfigured(f"the journal in {root} cannot be written: {error.strerror}") from error


def _booking(served: Mapping[str, Served]) -> Callable[[Intent], LedgerRecord]:
    def booked(intent: Intent) -> LedgerRecord:
        found = (each for each in served.values() if _is_of(each, intent))
        return crashed(intent, next((each.price_of for each in found), None))

    return booked


def _is_of(served: Served, intent: Intent) -> bool:
    return (served.resource, served.name) == (intent.account.resource, intent.account.deployment)


async def _prune(store: SqliteLedger, settings: LedgerSettings, clock: Clock, sleep: Sleep) -> None:
    while True:
        now = clock.unix()
        try:
            pruned = 1
            while pruned:
                pruned = await store.prune(now - settings.kept_days * _DAY, now - settings.explained_days * _DAY)
        except Exception as error:  # noqa: BLE001 - a border: a loop in the background that must not end
            _log.warning("old records of the ledger could not be removed: %s", type(error).__name__)
        await sleep(PRUNE_SECONDS)


def _folded_by(writing: WriteDown, folding: Folding) -> Callable[[], Awaitable[None]]:
    async def fold() -> None:
        writing.write_ended()
        try:
            await folding.fold()
        except OSError as error:
            raise StoreFailed(f"the journal cannot be read: {error.strerror}") from error

    return fold


class _Nobody:
    """A meter of which nobody reads anything."""

    def folded(self, flag: Flag, count: int) -> None:
        """See `ports.ledger_meter`."""

    def unwritten(self, what: Literal["refused", "served", "lost"], count: int = 1) -> None:
        """See `ports.ledger_meter`."""

    def behind(self, seconds: float) -> None:
        """See `ports.ledger_meter`."""
