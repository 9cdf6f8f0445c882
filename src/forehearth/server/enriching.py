"""Jobs of enrichment that come in over REST: checked and done, each in a process of its own.

So no library of tables is loaded here, and no call waits for one. The process ends with its worker; the durable job
then goes to another one, which goes on where the tables say.
"""

import asyncio
import contextlib
import importlib.util
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from forehearth.admin.enrichments import KIND, Enrichments, Shown, Wanted
from forehearth.config.problems import Problem
from forehearth.core.clock import Clock
from forehearth.core.errors import Conflict, Overloaded
from forehearth.documents.repository import Documents
from forehearth.enrichment.run_record import Run
from forehearth.jobs.desk import Jobs
from forehearth.jobs.run import JobCancelled, JobFailed
from forehearth.jobs.run import Run as Attempt
from forehearth.jobs.worker import Pace, Worker
from forehearth.server.children import Child, module_command, started
from forehearth.server.context import WorkerContext
from forehearth.server.handover import pack_part
from forehearth.server.messages import Stop, Told, Upward
from forehearth.server.orders import EnrichOrder, encode
from forehearth.server.stores import Stores

COMMAND: Final = module_command("forehearth.enrich.served")
LIBRARIES: Final = ("pyarrow", "deltalake")
_CHECK_SECONDS: Final = 30.0
_ENDING_SECONDS: Final = 3.5
"""How long the process has to end in good order when the worker ends: less than the worker gives its handlers."""
_NOTED_EVERY: Final = 1.0
"""Seconds between two notes of how a run is."""
_DEATHS: Final = 3
"""Processes that may die one after the other, without a row landed between."""
_NOT_OPEN: Final = (
    "No jobs are taken here: the configuration opens no table to them. "
    "Name folders under enrichment.directories, or storages under enrichment.storages."
)
_NO_LIBRARIES: Final = "No jobs are taken here: the libraries of tables are missing. pip install 'forehearth[enrich]'"
_log = logging.getLogger("forehearth.enrichment")


class Heard(msgspec.Struct):
    """What a process told."""

    run: Run | None = None
    rows: list[dict[str, str | None]] = []
    plan: dict[str, Any] | None = None
    problems: list[Problem] | None = None
    """None where it did not come to a verdict."""
    failure: tuple[str, str] | None = None
    ended: bool = False

    def hear(self, message: Upward) -> None:
        """Take in one word."""
        if not isinstance(message, Told):
            return
        body = bytes(message.body)
        match message.what:
            case "checked":
                self.problems, self.ended = [], True
            case "refused":
                self.problems, self.ended = msgspec.json.decode(body, type=list[Problem]), True
            case "run":
                self.run = msgspec.json.decode(body, type=Run)
            case "planned":
                self.plan, self.ended = msgspec.json.decode(body, type=dict[str, Any]), True
            case "ended":
                found = msgspec.json.decode(body, type=_Ended)
                self.run, self.rows, self.ended = found.run, found.rows, True
            case "failed":
                failed = msgspec.json.decode(body, type=_Failed)
                self.failure, self.ended = (failed.code, failed.message), True


class _Ended(msgspec.Struct, frozen=True):
    run: Run
    rows: list[dict[str, str | None]]


class _Failed(msgspec.Struct, frozen=True):
    code: str
    message: str


class Orders:
    """Makes the orders of processes, and has jobs checked by one."""

    def __init__(self, context: WorkerContext) -> None:
        settings = context.settings
        self._context = context
        self._open = settings.enrichment.is_open
        self._default = settings.server.resource
        self._bounds = pack_part(settings.enrichment)
        self._one = asyncio.Lock()

    async def check(self, resource: str, job: Mapping[str, Any]) -> Sequence[Problem]:
        """See `admin.enrichments.Check`."""
        if not self._open:
            raise Conflict(_NOT_OPEN)
        if not has_libraries():
            raise Conflict(_NO_LIBRARIES)
        if resource != self._default:
            raise Conflict(f"Jobs are run at the resource '{self._default}' alone, not yet at others.")
        heard = Heard()
        async with self._one, started(COMMAND) as child:
            child.order(self.order(Wanted(job=dict(job)), check=True))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_SECONDS):
                    await child.ended(heard.hear)
        if heard.problems is None:
            raise Overloaded("The job could not be checked now; nothing was begun.", retry_after=5.0)
        return heard.problems

    def order(self, wanted: Wanted, *, check: bool = False, again: bool = False) -> bytes:
        """The order for what is wanted; `again` where an earlier attempt began it."""
        context, settings = self._context, self._context.settings
        deed = "run" if again and wanted.deed == "resume" else wanted.deed
        return encode(
            EnrichOrder(
                deed="check" if check else deed,
                job=wanted.job,
                sample=wanted.sample,
                bounds=self._bounds,
                deployments=(*settings.deployments, *settings.routes),
                states=str(context.data.enrichments / self._default),
                url=_url(context),
                key=context.key.reveal(),
                log=settings.log,
            )
        )


class Enriching:
    """Does jobs: the handler of their kind."""

    def __init__(self, orders: Orders, desk: Enrichments, ending: asyncio.Event) -> None:
        """`ending` is set when the server is about to end: then jobs are handed on at once."""
        self._orders = orders
        self._desk = desk
        self._ending = ending

    async def done(self, attempt: Attempt) -> None:
        """Do one. Raises `JobFailed` and `JobCancelled`."""
        wanted, deaths, landed = attempt.input(Wanted), 0, -1
        while True:
            heard = await self._once(attempt, wanted)
            await self._note(attempt, heard)
            if heard.ended:
                if self._complete(attempt, heard):
                    return
            elif not (self._ending.is_set() or attempt.cancel_asked):
                now = heard.run.done if heard.run is not None else -1
                deaths, landed = (1, now) if now > landed else (deaths + 1, landed)
                _log.warning("the process of an enrichment died")
                if deaths >= _DEATHS:
                    raise JobFailed("process_lost", "The process that worked on it died, and so did those after it.")
                continue
            if attempt.cancel_asked:
                raise JobCancelled
            if self._ending.is_set():
                await asyncio.Event().wait()  # until the worker ends, and gives the job back

    def _complete(self, attempt: Attempt, heard: Heard) -> bool:
        """Whether it is; false where it is to go on, here or elsewhere. Raises what else became of it."""
        if heard.problems:
            words = "; ".join(f"{each.path}: {each.message}" for each in heard.problems)
            raise JobFailed("invalid_job", words)
        code, reason = heard.failure or ("", "")
        if heard.run is not None and heard.failure is None and heard.run.status != "completed":
            code, reason = _FAILED.get(heard.run.status, "run_failed"), heard.run.reason
        if code in ("cancelled", "interrupted") and attempt.cancel_asked:
            raise JobCancelled
        if code and code != "interrupted":
            raise JobFailed(code, reason)
        return not code

    async def _once(self, attempt: Attempt, wanted: Wanted) -> Heard:
        """Have a process work on it; what it told until its end."""
        heard = Heard()
        async with started(COMMAND) as child:
            child.order(self._orders.order(wanted, again=attempt.job.fence > 1))
            ended = asyncio.create_task(child.ended(heard.hear))
            others = [
                asyncio.create_task(self._pass_on(attempt, child)),
                asyncio.create_task(self._note_on(attempt, heard)),
            ]
            try:
                await asyncio.wait([ended])
            except asyncio.CancelledError:
                child.tell(Stop(grace=_ENDING_SECONDS, cancelled=attempt.cancel_asked))
                await asyncio.wait([ended], timeout=_ENDING_SECONDS)
                raise
            finally:
                for each in (*others, ended):
                    each.cancel()
        return heard

    async def _pass_on(self, attempt: Attempt, child: Child) -> None:
        """Tell the process when it is to end."""
        waiting = [asyncio.create_task(each.wait()) for each in (attempt.cancelling, self._ending)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            child.tell(Stop(grace=_ENDING_SECONDS, cancelled=attempt.cancel_asked))
        finally:
            for each in waiting:
                each.cancel()

    async def _note_on(self, attempt: Attempt, heard: Heard) -> None:
        noted = None
        while True:
            await asyncio.sleep(_NOTED_EVERY)
            if heard.run is not None and heard.run is not noted:
                noted = heard.run
                await self._note(attempt, heard)

    async def _note(self, attempt: Attempt, heard: Heard) -> None:
        if not attempt.holds():
            return
        shown = Shown(fence=attempt.job.fence, run=heard.run, rows=heard.rows, plan=heard.plan)
        if shown.run is not None or shown.plan is not None:
            await self._desk.note(attempt.job.place, attempt.job.id, shown)


_FAILED: Final[Mapping[str, str]] = {
    "incomplete": "incomplete",
    "cancelled": "cancelled",
    "interrupted": "interrupted",
}
"""The code of a job's error, by how its run ended; for others it is `run_failed`."""


def has_libraries() -> bool:
    """Whether the libraries of tables are installed. They are not loaded for that."""
    try:
        return all(importlib.util.find_spec(each) is not None for each in LIBRARIES)
    except ValueError:  # one of them was taken out of the way
        return False


@contextlib.asynccontextmanager
async def enriched(context: WorkerContext, stores: Stores, clock: Clock) -> AsyncIterator[Enrichments]:
    """The desk of jobs of enrichment, and while it is open a worker that does them, where any are taken."""
    settings = context.settings.enrichment
    orders, workers = Orders(context), list[Worker]()

    def nudge() -> None:
        for each in workers:
            each.nudge()

    desk = Enrichments(
        Jobs(stores.jobs, KIND),
        Documents(stores.documents, KIND, new_id=lambda: "", clock=clock),
        orders.check,
        nudge=nudge,
        clock=clock,
        kept_days=settings.kept_days,
    )
    if not (settings.is_open and has_libraries()):
        yield desk
        return
    handler = Enriching(orders, desk, context.shutdown.begun)
    async with Worker(stores.jobs, {KIND: handler.done}, clock, pace=Pace(at_once=settings.at_once)) as worker:
        workers.append(worker)
        yield desk


def _url(context: WorkerContext) -> str:
    """Where this server is asked from this machine."""
    listener = next(each for each in context.listeners if not (each.tls or each.admin))
    host = listener.socket.getsockname()[0]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - asked, not listened on
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.port}"
