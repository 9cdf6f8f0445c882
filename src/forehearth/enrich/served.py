"""One job of a server's, as a worker starts it: `python -m forehearth.enrich.served`.

A process of its own, so that reading, asking and writing tables keeps no call of the worker waiting. It ends with its
worker: chunks land once, whoever goes on.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from forehearth.config.problems import ConfigError, Problem
from forehearth.config.secrets import held
from forehearth.core.enrichment_bounds_settings import EnrichmentSettings
from forehearth.core.errors import Misconfigured
from forehearth.core.money import plain
from forehearth.core.secret import Secret
from forehearth.enrich import hosts, work
from forehearth.enrichment import bounds, job_file
from forehearth.enrichment.asking import RunStopped
from forehearth.enrichment.budget import LimitReached
from forehearth.enrichment.job_file import JobFile
from forehearth.enrichment.job_state import Leased
from forehearth.enrichment.plan import SAMPLE, Plan
from forehearth.enrichment.run_record import Run, Status
from forehearth.enrichment.runner import Runner
from forehearth.enrichment.sink import SinkFailed
from forehearth.enrichment.sources.files import OPENERS, found
from forehearth.server.handover import unpack_part
from forehearth.server.lifeline import Lifeline
from forehearth.server.messages import Downward, Told
from forehearth.server.orders import EnrichOrder
from forehearth.telemetry.logs import logging_as
from forehearth.telemetry.redaction import Redactor

_TOLD_EVERY: Final = 0.5
"""Seconds between two words about how a run is."""
_LEASE_WAIT: Final = 0.25
"""Seconds between two looks whether another process, which lost the job, has let go of it."""
_LONGEST: Final = 120
"""Characters of a value that is shown."""
_NICE: Final = 10
"""Calls that the server takes go before."""
_log = logging.getLogger("forehearth.enrichment")


class Deed:
    """What is wanted of one job, from its reading to its end."""

    def __init__(self, order: EnrichOrder, lifeline: Lifeline, redactor: Redactor) -> None:
        self._order = order
        self._lifeline = lifeline
        self._redactor = redactor
        self._bounds = unpack_part(order.bounds, EnrichmentSettings)
        self._environ = {"FOREHEARTH_URL": order.url, "FOREHEARTH_API_KEY": order.key}
        self._runner: Runner | None = None
        self._stopped: Status | None = None
        self._task: asyncio.Task[None] | None = None
        self._told_at = 0.0

    async def do(self) -> None:
        """Do it, and tell what came of it."""
        self._task = asyncio.current_task()
        try:
            await self._done()
        except ConfigError as error:
            self._say("refused", error.problems)
        except LimitReached as error:
            self._failed("incomplete", f"there is no room for the sample: {error}")
        except (RunStopped, SinkFailed, Misconfigured) as error:
            self._failed("run_failed", str(error))
        except asyncio.CancelledError:
            self._failed(self._stopped or "interrupted", "it was ended before it began")

    def stop(self, status: Status) -> None:
        """End in good order: what is under way is waited for, and lands."""
        self._stopped = status
        if self._runner is not None:
            self._runner.stop(status)
        elif self._task is not None:
            self._task.cancel()

    async def _done(self) -> None:
        order = self._order
        file = read(order, self._bounds)
        if order.deed == "check":
            self._say("checked", None)
        elif order.deed == "plan":
            sample = SAMPLE if order.sample is None else order.sample
            plan = await work.foresee(
                file, work.state_folder(file, _states(order)), sample=sample, environ=self._environ
            )
            self._say("planned", plan_as_json(plan))
        else:
            run = await self._carried_on(file)
            run.reason = self._redactor.redact(run.reason)
            self._say("ended", {"run": run, "rows": await _rows(file, run)})

    async def _carried_on(self, file: JobFile) -> Run:
        deed = self._order.deed
        folder = work.state_folder(file, _states(self._order))
        while True:
            try:
                return await work.carry_on(
                    file,
                    folder,
                    show=self._show,
                    ready=self._ready,
                    environ=self._environ,
                    deed="resume" if deed == "resume" else "retry" if deed == "retry" else "run",
                )
            except Leased:
                await asyncio.sleep(_LEASE_WAIT)

    def _ready(self, runner: Runner) -> None:
        self._runner = runner
        if self._stopped is not None:
            runner.stop(self._stopped)

    def _show(self, run: Run) -> None:
        now = time.monotonic()
        if now - self._told_at >= _TOLD_EVERY:
            self._told_at = now
            self._say("run", run)

    def _failed(self, code: str, message: str) -> None:
        self._say("failed", {"code": code, "message": self._redactor.redact(message)})

    def _say(self, what: str, body: object) -> None:
        self._lifeline.say(Told(what=what, body=msgspec.Raw(msgspec.json.encode(body))))


def read(order: EnrichOrder, settings: EnrichmentSettings) -> JobFile:
    """The job that was sent, within its bounds. Raises `ConfigError` with all that is wrong."""
    job, problems = bounds.cleared(order.job)
    text = msgspec.json.encode(job).decode()
    try:
        file = job_file.read_text(
            text, bounds.first_folder(settings), providers=hosts.HOSTS, environ=bounds.environ(settings)
        )
    except ConfigError as error:
        raise ConfigError([*problems, *(_without_lines(each) for each in error.problems)]) from None
    inside, more = bounds.within(file.job, settings, order.deployments)
    problems += more
    if not problems:
        problems += _links(inside, file, settings)
    if problems:
        raise ConfigError(problems)
    return msgspec.structs.replace(file, job=inside)


def _links(job: Any, file: JobFile, settings: EnrichmentSettings) -> list[Problem]:
    """Files that a pattern or a folder names by links that lead out of the folders."""
    if type(job.source) not in OPENERS:
        return []
    try:
        for each in found(job.source.path, file.folder, OPENERS[type(job.source)][1], may_be_none=True):
            bounds.require_inside(each, settings)
    except bounds.OutOfBounds as error:
        return [bounds.problem("source.path", error.message, error.hint)]
    return []


def _without_lines(found_: Problem) -> Problem:
    return msgspec.structs.replace(bounds.reworded(found_), file="", line=0, column=0)


def _states(order: EnrichOrder) -> Path:
    return Path(order.states)


async def _rows(file: JobFile, run: Run) -> Sequence[Mapping[str, str | None]]:
    """Some rows that landed, as they are shown."""
    try:
        rows = await work.landed(file, run)
    except SinkFailed:  # the report says how the run was, all the same
        return []
    return [{name: _short(value) for name, value in row.items()} for row in rows]


def _short(value: object) -> str | None:
    if value is None:
        return None
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """A plan as JSON has it: money as text, so that it stays exact, and values of rows as they are shown."""
    told: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(plan, results=()))
    cost = told["cost"]
    results = [{name: _short(value) for name, value in row.items()} for row in plan.results]
    return told | {"cost": cost and {end: plain(amount) for end, amount in cost.items()}, "results": results}


async def _until_told(order: EnrichOrder, lifeline: Lifeline, redactor: Redactor) -> None:
    loop, deed = asyncio.get_running_loop(), Deed(order, lifeline, redactor)

    def stop(status: Status) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the end is over
            loop.call_soon_threadsafe(deed.stop, status)

    def told(message: Downward) -> None:
        stop("cancelled" if message.cancelled else "interrupted")

    lifeline.follow(told=told, orphaned=lambda: stop("interrupted"))
    await deed.do()


def main() -> None:
    """Do what the worker orders, and end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # its worker says when it is over
    lifeline = Lifeline.from_standard_input()
    order = msgspec.json.decode(lifeline.order(), type=EnrichOrder)
    os.nice(_NICE)
    settings = unpack_part(order.bounds, EnrichmentSettings)
    redactor = Redactor([Secret(order.key), *held(settings)])
    status = 1
    with logging_as(order.log, redactor=redactor, stream=sys.stderr):
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_until_told(order, lifeline, redactor))
            status = 0
        except Exception as error:  # noqa: BLE001 - the border of the process
            _log.error("an enrichment ended by an error that nobody foresaw: %s", type(error).__name__)
    sys.stderr.flush()
    os._exit(status)  # all is closed and told; threads of the libraries of tables would abort an exit, or hang it


if __name__ == "__main__":
    main()
