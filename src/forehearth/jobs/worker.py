"""Does jobs: claims those that are due, runs their handlers side by side, and keeps their leases as long as they run.

    claim      -> a `Run` for each, with the steps that earlier attempts recorded
    heartbeat  -> leases renewed; who lost one is stopped, who shall cancel is told, and stopped when it does not
    end        -> succeeded, failed or cancelled, recorded under the fence
    stop       -> handlers are cancelled, and their leases given back at once

A handler that raises ends its job as failed. One whose worker dies leaves a lease, which lapses: then another worker
begins a new attempt, and the steps that were recorded are not done again. The fence keeps the first one from writing,
should it only have slept.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Final, Self

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.document import StoreFailed
from forehearth.core.errors import ForehearthError
from forehearth.core.job import Ending, Job, JobError, JobState, Lease, LeaseLost
from forehearth.jobs.run import JobCancelled, JobFailed, Run, encoded
from forehearth.ports.jobs import JobStore

Handler = Callable[[Run], Awaitable[object]]
"""Does a job. What it returns is the job's result, and becomes JSON."""
Sleep = Callable[[float], Awaitable[None]]

_OURS: Final = JobError(code="internal_error", message="The job ended by an error of the server's own.")
_LONGEST_MESSAGE: Final = 2_000
_log = logging.getLogger("forehearth.jobs")


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How much a worker does, and how often it looks. Seconds, unless they are said to be something else."""

    at_once: int = 16
    """Jobs that run side by side."""
    lease: float = 15.0
    """How long a dead worker's jobs wait for another one, at most."""
    beat: float = 0.5
    """Between two heartbeats: how long it takes at most until cancelling is seen."""
    poll: float = 0.5
    """Between two looks for jobs that others asked for."""
    cancelling: float = 10.0
    """How long a handler has to end by itself when cancelling is asked for."""
    stopping: float = 5.0
    """How long the end waits for handlers that were cancelled."""


USUAL = Pace()


class Worker:
    """Does jobs of the kinds that there are handlers for, from `async with` until its end."""

    def __init__(
        self,
        store: JobStore,
        handlers: Mapping[str, Handler],
        clock: Clock,
        *,
        pace: Pace = USUAL,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._store = store
        self._handlers = handlers
        self._clock = clock
        self._pace = pace
        self._sleep = sleep
        self._wake = asyncio.Event()
        self._stopping = False
        self._running: dict[asyncio.Task[None], _Attempt] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._claim_for_ever()), asyncio.create_task(self._beat_for_ever())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop: what runs is cancelled, and its leases are given back."""
        self._stopping = True
        self.nudge()
        claiming, beating = self._tasks
        await asyncio.wait([claiming])  # a claim that is under way is answered first, or its jobs wait for their leases
        for attempt in self._running.values():
            attempt.stop()
        if self._running:
            await asyncio.wait(self._running, timeout=self._pace.stopping)
        for attempt in list(self._running.values()):
            _log.error("the handler of a %s does not end: its lease is given back all the same", attempt.kind)
            await self._give_back(attempt.run.job.lease)
        beating.cancel()

    @property
    def running(self) -> int:
        """Jobs that run now."""
        return len(self._running)

    def nudge(self) -> None:
        """Look for jobs now: one was asked for in this process."""
        self._wake.set()

    async def _claim_for_ever(self) -> None:
        while not self._stopping:
            room = self._pace.at_once - len(self._running)
            claimed = await self._claim(room) if room else 0
            if claimed < room or not room:
                await self._pause()

    async def _claim(self, room: int) -> int:
        """Begin as many jobs as there are, and room for; how many those were."""
        began = self._clock.monotonic()
        try:
            jobs = await self._store.claim(self._handlers, room, self._pace.lease)
        except Exception as error:  # noqa: BLE001 - a border: a loop in the background that must not end
            _log.warning("jobs could not be looked for: %s", _told(error))
            return 0
        for job in jobs:
            if self._stopping:
                await self._give_back(job.lease)
            else:
                self._begin(job, began + self._pace.lease)
        return len(jobs)

    def _begin(self, job: Job, good_until: float) -> None:
        run = Run(job, self._store, self._clock, self._sleep, good_until=good_until)
        attempt = _Attempt(run, self._handlers[job.kind])
        task = asyncio.create_task(self._carry_out(attempt))
        self._running[task] = attempt
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self.nudge()

    async def _pause(self) -> None:
        """Until somebody nudges, or it is time to look again."""
        waiting = [asyncio.ensure_future(self._sleep(self._pace.poll)), asyncio.ensure_future(self._wake.wait())]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()
        self._wake.clear()

    async def _carry_out(self, attempt: "_Attempt") -> None:
        """The way of one attempt from its first step to its end."""
        run = attempt.run
        ending = await attempt.outcome()
        try:
            if ending is not None:
                await run.again(lambda: self._store.finish(run.job.lease, ending))
            elif self._stopping and not run.lost:
                await self._give_back(run.job.lease)
        except LeaseLost:
            _log.warning("a %s ended here while another worker had it: this end is not recorded", attempt.kind)
        except StoreFailed as error:
            _log.warning("how a %s ended could not be recorded, so it is begun again: %s", attempt.kind, error)
        except Exception as error:  # noqa: BLE001 - a border: nobody waits for it
            _log.error("how a %s ended could not be recorded: %s", attempt.kind, type(error).__name__)

    async def _give_back(self, lease: Lease) -> None:
        with contextlib.suppress(LeaseLost, StoreFailed):  # then the lease lapses by itself
            await self._store.give_back(lease, 0.0)

    async def _beat_for_ever(self) -> None:
        while True:
            await self._sleep(self._pace.beat)
            await self._beat()

    async def _beat(self) -> None:
        """Renew all leases at once, and tell each attempt how it stands."""
        held = [attempt for attempt in self._running.values() if not attempt.run.lost]
        if not held:
            return
        began = self._clock.monotonic()
        try:
            found = await self._store.renew([each.run.job.lease for each in held], self._pace.lease)
        except Exception as error:  # noqa: BLE001 - a border: a loop in the background that must not end
            _log.warning("leases could not be renewed: %s", _told(error))
            for attempt in held:
                if self._clock.monotonic() + self._pace.beat >= attempt.run.good_until:
                    attempt.lose()  # by the next heartbeat somebody else may have it
            return
        for attempt in held:
            asked = found.get(attempt.run.job.lease)
            if asked is None:
                attempt.lose()
                continue
            attempt.run.good_until = began + self._pace.lease
            if asked:
                attempt.cancel(self._clock.monotonic(), patience=self._pace.cancelling)


class _Attempt:
    """One run and the task of its handler."""

    def __init__(self, run: Run, handler: Handler) -> None:
        self.run = run
        self.kind = run.job.kind.replace("_", " ")
        self._task = asyncio.ensure_future(self._handle(handler))
        self._cut_at: float | None = None
        self._stopped = False

    def stop(self) -> None:
        """End the handler, because the worker ends."""
        self._stopped = True
        self._task.cancel()

    def lose(self) -> None:
        """End the handler, because somebody else has the job."""
        if not self.run.lost and not self._task.done():
            _log.warning("the lease of a %s is lost: it is stopped here", self.kind)
        self.run.lost = True
        self._task.cancel()

    def cancel(self, now: float, *, patience: float) -> None:
        """Tell the handler that cancelling is asked for, and end it once it had time to end by itself."""
        self.run.cancelling.set()
        if self._cut_at is None:
            self._cut_at = now + patience
        elif now >= self._cut_at:
            self._task.cancel()

    async def outcome(self) -> Ending | None:
        """How the job ended. None where it did not: another worker has it, or will."""
        await asyncio.wait([self._task])
        if self.run.lost:
            return None
        if self._task.cancelled():
            if self.run.cancel_asked:
                return Ending(state=JobState.CANCELLED)
            return None if self._stopped else self._failed(_OURS, "CancelledError")
        return self._ending(self._task.exception())

    async def _handle(self, handler: Handler) -> Ending:
        await self.run.begin()
        try:
            return Ending(state=JobState.SUCCEEDED, result=encoded(await handler(self.run)))
        except JobCancelled as cancelled:
            if not self.run.cancel_asked:
                raise
            left = None if cancelled.result is None else encoded(cancelled.result)
            return Ending(state=JobState.CANCELLED, result=left)

    def _ending(self, error: BaseException | None) -> Ending | None:
        match error:
            case None:
                return self._task.result()
            case LeaseLost() | StoreFailed():
                _log.warning("a %s is left to whoever comes when its lease lapses: %s", self.kind, _told(error))
                return None
            case JobFailed() | ForehearthError():
                return self._failed(JobError(code=error.code, message=_storable(error.message)), type(error).__name__)
            case _:
                return self._failed(_OURS, type(error).__name__)

    def _failed(self, shown: JobError, what: str) -> Ending:
        _log.warning("a %s failed: %s (%s)", self.kind, what, shown.code)
        return Ending(state=JobState.FAILED, error=shown)


def _storable(message: str) -> str:
    """What every store can keep of it."""
    return message[:_LONGEST_MESSAGE].encode(errors="replace").decode().replace("\0", "?")


def _told(error: BaseException) -> str:
    """The words of a store are ours; those of anything else may repeat what it was given."""
    return str(error) if isinstance(error, StoreFailed) else type(error).__name__
