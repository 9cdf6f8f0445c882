"""What a handler has of the job that it does: its input, the steps that were done before, and what it writes.

A step is recorded once, but its work may be done more than once: whoever dies between the two leaves no record. So a
step whose work must not happen twice elsewhere shows `run.key(name)` there, which no other attempt has, and looks for
what an earlier attempt did.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar, overload

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.document import storable
from forehearth.core.errors import ForehearthError
from forehearth.core.job import LONGEST_NAME, MOST_BYTES, Job, JobEvent, LeaseLost
from forehearth.jobs.recorder import Recorder
from forehearth.ports.jobs import JobRecords

Result = TypeVar("Result")
Event = tuple[str, object]
"""An event's name, and what it says, which becomes JSON."""
_NOTHING: Final[Mapping[str, object]] = {}


class JobFailed(Exception):
    """Raised by a handler: the job is not to be done. Code and message are shown to whoever asked for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class JobCancelled(Exception):
    """Raised by a handler, or by a step that is not begun, because cancelling is asked for.

    `result` is what there is until then, kept as the job's.
    """

    def __init__(self, result: object = None) -> None:
        super().__init__("cancelled")
        self.result = result


class Run:
    """One attempt at a job, for as long as its lease is good. Made by the worker."""

    def __init__(
        self,
        job: Job,
        store: JobRecords,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]],
        *,
        good_until: float,
    ) -> None:
        """`good_until` is when the lease ends at the earliest, by the monotonic clock."""
        self.job = job
        self.good_until = good_until
        self.lost = False
        """Whether the lease is known to be lost."""
        self.cancelling = asyncio.Event()
        """Set when cancelling is asked for."""
        if job.cancel_asked:
            self.cancelling.set()
        self._store = store
        self._clock = clock
        self._recorder = Recorder(store, job.lease, holds=self.holds, sleep=sleep)
        self._done: dict[str, bytes] = {}
        self._under_way: set[str] = set()
        self._next = 0

    async def begin(self) -> None:
        """Read what earlier attempts left. Raises `StoreFailed`."""
        found = await self._store.recorded(self.job.sequence)
        self._done, self._next = dict(found.steps), found.last_event + 1

    @property
    def cancel_asked(self) -> bool:
        """Whether whoever asked for the job does not want it any more."""
        return self.cancelling.is_set()

    @property
    def last_event(self) -> int:
        """The number of the last event, of earlier attempts too; -1 where there is none."""
        return self._next - 1

    def input(self, of: type[Result]) -> Result:
        """What the job was asked with. Raises `msgspec.ValidationError` where it is none of those."""
        return msgspec.json.decode(self.job.input, type=of)

    def done(self, name: str) -> bool:
        """Whether a step is recorded."""
        return name in self._done

    def key(self, name: str) -> str:
        """What tells this attempt at a step from every other one, for hosts that take a key of idempotency."""
        return f"job-{self.job.sequence}-{self.job.fence}-{name}"

    def holds(self) -> bool:
        """Whether the lease may still be good, as far as it is known here. The store alone knows for certain."""
        return not self.lost and self._clock.monotonic() < self.good_until

    @overload
    async def step(
        self, name: str, work: Callable[[], Awaitable[object]], *, though_cancelled: bool = False
    ) -> Any: ...

    @overload
    async def step(
        self,
        name: str,
        work: Callable[[], Awaitable[object]],
        *,
        of: type[Result],
        though_cancelled: bool = False,
    ) -> Result: ...

    async def step(
        self,
        name: str,
        work: Callable[[], Awaitable[object]],
        *,
        of: Any = Any,
        though_cancelled: bool = False,
    ) -> Any:
        """What `work` returned when it was done first: now, or by an earlier attempt. It is JSON, read as an `of`.

        Raises what `work` raises, and then nothing is recorded; `LeaseLost`; `StoreFailed` where the store is away for
        longer than the lease; `ValueError` for a name or a result that cannot be kept, or where the same step is under
        way; and `JobCancelled` instead of beginning one when cancelling is asked for, unless it is to be done
        `though_cancelled`.
        """
        if name not in self._done:
            await self._do(name, work, though_cancelled=though_cancelled)
        return msgspec.json.decode(self._done[name], type=of)

    async def append(self, *events: Event) -> int:
        """Tell these, all or none; return the number of the last event. Raises as `step` does."""
        return await self.record(events=events)

    async def record(self, *, steps: Mapping[str, object] = _NOTHING, events: Sequence[Event] = ()) -> int:
        """Record steps that are done together with events, all or none; return the number of the last event.

        A step that is recorded already is left out. Raises as `step` does.
        """
        new = {name: encoded(result) for name, result in steps.items() if name not in self._done}
        for name in (*new, *(name for name, _ in events)):
            _require_name(name)
        bodies = [(name, encoded(body)) for name, body in events]
        told = [JobEvent(number=self._next + place, name=name, body=body) for place, (name, body) in enumerate(bodies)]
        self._next += len(told)  # taken at once: who comes next, comes behind these
        try:
            await self._recorder.record(new, told)
        except LeaseLost:
            self.lost = True
            raise
        self._done |= new
        return told[-1].number if told else self.last_event

    async def again(self, write: Callable[[], Awaitable[None]]) -> None:
        """See `Recorder.again`, once everything that was under way is written."""
        await self._recorder.settled()
        await self._recorder.again(write)

    async def _do(self, name: str, work: Callable[[], Awaitable[object]], *, though_cancelled: bool) -> None:
        _require_name(name)
        if name in self._under_way:
            raise ValueError(f"the step '{name}' is under way: the names of steps are told apart within a job")
        if self.cancel_asked and not though_cancelled:
            raise JobCancelled
        self._under_way.add(name)
        try:
            await self.record(steps={name: await work()})
        finally:
            self._under_way.discard(name)


async def unless_cancelled(run: Run, work: Awaitable[Result]) -> Result:
    """What `work` gives. Raises `JobCancelled` where cancelling is asked for first; the work is ended then."""
    doing = asyncio.ensure_future(work)
    asked_for = asyncio.ensure_future(run.cancelling.wait())
    try:
        await asyncio.wait([doing, asked_for], return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise JobCancelled
        return doing.result()
    finally:
        asked_for.cancel()
        if not doing.done():
            doing.cancel()
            with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration, ForehearthError):
                await doing


def encoded(value: object) -> bytes:
    """What is kept of a value: JSON. Raises `ValueError` for what cannot be kept."""
    try:
        body = msgspec.json.encode(value)
    except (TypeError, UnicodeEncodeError) as error:
        raise ValueError(f"what a job records is JSON, and this is not: {type(error).__name__}") from None
    if len(body) > MOST_BYTES:
        raise ValueError(f"what a job records has at most {MOST_BYTES} bytes: put it into a file")
    return body


def _require_name(name: str) -> None:
    if not name or len(name) > LONGEST_NAME or not storable(name):
        raise ValueError(f"the name of a step or an event has 1 to {LONGEST_NAME} characters, and no U+0000")
