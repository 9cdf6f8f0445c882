"""Runs from the side of those who ask for them.

A run is kept first, then its thread is told that it is the latest, and then it becomes a job; so there is one at a time
in each thread, and whoever looks at one that has no job gives it one. It is over ten minutes after it was asked for,
whoever works at it or is waited for: that is found by whoever looks.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from forehearth.assistants.ending import Ending, moved
from forehearth.assistants.kept import Kept, KeptRun, KeptThread
from forehearth.assistants.threads import Threads
from forehearth.core.errors import Conflict, InvalidField, NotFound
from forehearth.core.job import Job, JobState, NewJob
from forehearth.core.place import Place
from forehearth.dialects.assistants import asked
from forehearth.dialects.assistants.asked import NewMessage, Outputs, RunBody, RunOfThread, RunWithThread, ThreadBody
from forehearth.dialects.assistants.objects import Error, Message, Run, Step, Thread
from forehearth.dialects.assistants.states import Move, Status
from forehearth.documents.metadata import read_metadata
from forehearth.documents.repository import Order
from forehearth.jobs.desk import Jobs
from forehearth.responses.caller import Asker, Caller

RUN_SECONDS: Final = 600
"""How long after it was asked for a run expires, as on the service."""
EVENTS_KEPT: Final = 86_400.0
"""Seconds after its end for which what a run told is kept."""
_BEGINNING: Final = 5
"""Seconds in which whoever asks for a run says its messages and makes a job of it."""
_TRIES: Final = 50
_LOST: Final = Error(code="server_error", message="Every worker that had the run was lost.")


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """What a job has to do: a run, until it is over or calls functions."""

    thread: str
    run: str
    number: int
    request: str = ""
    """The id of the request that asked for it."""


class _Taken(Exception):
    """Another run was begun in the thread meanwhile."""


class Runs:
    """The runs of one resource. `nudge` tells this process's own worker that there is something to do."""

    def __init__(self, kept: Kept, threads: Threads, jobs: Jobs, *, nudge: Callable[[], None]) -> None:
        self._kept = kept
        self._threads = threads
        self._jobs = jobs
        self._ending = Ending(kept)
        self._nudge = nudge

    async def begin(self, caller: Caller, thread: str, body: RunBody) -> KeptRun:
        """Have an assistant answer a thread; the run, which is queued.

        Raises the `Refused` that fits: `NotFound` for a thread or an assistant that is not there, `InvalidField` where
        another run is active.
        """
        place, kept = caller.place, self._kept
        found = await kept.threads.get(place, thread)
        await self._require_idle(place, found)
        assistant = await kept.assistants.get(place, body.assistant_id)
        more = body.additional_messages if isinstance(body, RunOfThread) else None
        messages = asked.read_messages(more, "additional_messages", read_metadata)
        now = kept.now
        made: Mapping[str, Any] = {"thread_id": thread, "created_at": now, "expires_at": now + RUN_SECONDS}
        run = asked.read_run(body, assistant, read_metadata, {"id": kept.new_id("run"), **made})
        begun = KeptRun(run=run, asker=Asker.of(caller))
        await kept.runs.create(place, run.id, begun, parent=thread)
        try:
            await self._take(place, found, run.id)
            await self._threads.say(place, thread, messages)
        except Exception:
            await kept.runs.delete(place, run.id, parent=thread)
            raise
        await self._submit(place, begun)
        return begun

    async def begin_with_thread(self, caller: Caller, body: RunWithThread) -> tuple[Thread, KeptRun]:
        """The same with a thread that is made for it, which there is not where the run cannot be."""
        thread = await self._threads.create(caller.place, body.thread or ThreadBody())
        try:
            return thread, await self.begin(caller, thread.id, body)
        except Exception:
            await self._threads.remove(caller.place, thread.id)
            raise

    async def get(self, place: Place, thread: str, run: str) -> KeptRun:
        """A run as it is now. Raises `NotFound`."""
        await self._kept.threads.get(place, thread)
        return await self.now(place, await self._kept.runs.get(place, run, parent=thread))

    async def page(self, place: Place, thread: str, order: Order) -> tuple[list[Run], bool]:
        """Some of a thread's runs, and whether there are more. Raises `NotFound`, and `InvalidField` for the page."""
        await self._kept.threads.get(place, thread)
        found, has_more = await self._kept.runs.page(place, order, parent=thread)
        return [(await self.now(place, each)).run for each in found], has_more

    async def update(self, place: Place, thread: str, run: str, metadata: Mapping[str, str]) -> Run:
        """Put other metadata in the place of what a run had. Raises `NotFound`."""

        def change(kept: KeptRun) -> KeptRun:
            return msgspec.structs.replace(kept, run=msgspec.structs.replace(kept.run, metadata=metadata))

        await self.get(place, thread, run)
        return (await self._kept.runs.change(place, run, change, parent=thread)).run

    async def cancel(self, place: Place, thread: str, run: str) -> Run:
        """Ask for a run to be cancelled; it as it is then. Raises `NotFound`, and `InvalidField` where it is over."""
        found = await self.get(place, thread, run)
        if found.run.status.final:
            raise InvalidField(f"Cannot cancel run with status '{found.run.status}'.", param="run_id")
        changed, _ = await self._ending.end(place, found.run, Move.ASK_TO_CANCEL)
        if changed.run.status is Status.CANCELLING:
            await self._stop(place, changed)
            changed = await self.now(place, changed)
        return changed.run

    async def submit(self, caller: Caller, thread: str, run: str, outputs: Outputs) -> tuple[KeptRun, Step]:
        """Go on with what the functions of a run gave; the run, which is queued again, and the step that is over.

        Raises `NotFound`, and `InvalidField` where the run does not wait for these.
        """
        place = caller.place
        found = await self.get(place, thread, run)
        if found.run.status is not Status.REQUIRES_ACTION:
            raise _no_outputs(found.run)
        given = _given(found.run, outputs)

        def go_on(kept: KeptRun) -> KeptRun:
            if kept.run.status is not Status.REQUIRES_ACTION or kept.leg != found.leg:
                raise _no_outputs(kept.run)
            queued = moved(kept, Move.SUBMIT, self._kept.now)
            return msgspec.structs.replace(queued, leg=kept.leg + 1, asker=Asker.of(caller), given=given)

        # This write decides whose outputs are taken; whoever dies behind it leaves the step to the run's worker.
        changed = await self._kept.runs.change(place, run, go_on, parent=thread)
        done = await self._kept.give(place, changed)
        await self._submit(place, changed)
        return changed, done

    async def steps(self, place: Place, thread: str, run: str, order: Order) -> tuple[list[Step], bool]:
        """Some of a run's steps, and whether there are more. Raises `NotFound`, and `InvalidField` for the page."""
        await self.get(place, thread, run)
        return await self._kept.steps.page(place, order, parent=run)

    async def step(self, place: Place, thread: str, run: str, step: str) -> Step:
        """One step. Raises `NotFound`."""
        await self.get(place, thread, run)
        return await self._kept.steps.get(place, step, parent=run)

    async def add(self, place: Place, thread: str, message: NewMessage) -> Message:
        """Add a message to a thread in which no run is active. Raises `NotFound` and `InvalidField`."""
        found = await self._kept.threads.get(place, thread)
        active = await self._active(place, found)
        if active is not None:
            words = f"Can't add messages to {thread} while a run {active.id} is active."
            raise InvalidField(words, param="thread_id")
        return (await self._threads.say(place, thread, [message]))[0]

    async def remove_thread(self, place: Place, thread: str) -> None:
        """Remove a thread with all that hangs under it; what works at it is stopped. Raises `NotFound`."""
        found = await self._kept.threads.get(place, thread)
        if found.latest_run:
            try:
                latest = await self._kept.runs.get(place, found.latest_run, parent=thread)
            except NotFound:
                pass
            else:
                await self._stop(place, latest)
        await self._threads.remove(place, thread)

    async def now(self, place: Place, kept: KeptRun) -> KeptRun:
        """A run as it is now: what nobody was left to say of it is found out and kept. Raises `NotFound`."""
        run = kept.run
        if run.status.final:
            return kept
        if run.expires_at is not None and self._kept.clock.unix() >= run.expires_at:
            expired, _ = await self._ending.end(place, run, Move.EXPIRE)
            await self._stop(place, kept)
            return expired
        if run.status is Status.REQUIRES_ACTION:
            return kept
        job = await self._job(place, kept)
        if job is None:
            return await self._revived(place, kept)
        return await self._ended(place, kept, job) if job.state.final else kept

    async def _ended(self, place: Place, kept: KeptRun, job: Job) -> KeptRun:
        """Its job is over: it ended, unless its worker could not say how."""
        run = kept.run
        again = await self._kept.runs.get(place, run.id, parent=run.thread_id)  # it may have ended since it was read
        if again.run.status.final or again.run.status is Status.REQUIRES_ACTION or again.leg != kept.leg:
            return again
        move = Move.CANCEL if job.state is JobState.CANCELLED else Move.FAIL
        error = _LOST if job.error is None else Error(code=_LOST.code, message=job.error.message)
        return (await self._ending.end(place, run, move, error))[0]

    async def _revived(self, place: Place, kept: KeptRun) -> KeptRun:
        """Whoever was to make a job of it died before that, or is about to."""
        run = kept.run
        if run.status is Status.CANCELLING:
            return (await self._ending.end(place, run, Move.CANCEL))[0]
        thread = await self._kept.threads.get(place, run.thread_id)
        begins = kept.leg == 0 and self._kept.now < run.created_at + _BEGINNING
        if run.status is Status.QUEUED and thread.latest_run == run.id and not begins:
            await self._submit(place, kept)
        return kept

    async def _active(self, place: Place, thread: KeptThread) -> Run | None:
        if not thread.latest_run:
            return None
        try:
            found = await self._kept.runs.get(place, thread.latest_run, parent=thread.thread.id)
            run = (await self.now(place, found)).run
        except NotFound:
            return None
        return None if run.status.final else run

    async def _require_idle(self, place: Place, thread: KeptThread) -> None:
        active = await self._active(place, thread)
        if active is not None:
            message = f"Thread {thread.thread.id} already has an active run {active.id}."
            raise InvalidField(message, param="thread_id")

    async def _take(self, place: Place, found: KeptThread, run: str) -> None:
        """Make the run the latest of an idle thread. Raises `InvalidField` where another one is active by now."""
        thread = found.thread.id
        for _ in range(_TRIES):

            def take(now: KeptThread, before: str = found.latest_run) -> KeptThread:
                if now.latest_run != before:
                    raise _Taken
                return msgspec.structs.replace(now, latest_run=run)

            try:
                await self._kept.threads.change(place, thread, take)
            except _Taken:
                found = await self._kept.threads.get(place, thread)
                await self._require_idle(place, found)
            else:
                return
        raise Conflict(f"Thread {thread} is changed too often now: try again.")

    async def _submit(self, place: Place, kept: KeptRun) -> None:
        run = kept.run
        request = "" if kept.asker is None else kept.asker.request_id
        leg = msgspec.json.encode(Leg(thread=run.thread_id, run=run.id, number=kept.leg, request=request))
        job = NewJob(place=place, kind="thread_run", id=kept.job, subject=run.id, input=leg, kept=EVENTS_KEPT)
        try:
            await self._jobs.submit(job)
        except Conflict:
            return  # somebody who looked at it did so
        self._nudge()

    async def _job(self, place: Place, kept: KeptRun) -> Job | None:
        try:
            return await self._jobs.get(place, kept.job)
        except NotFound:
            return None

    async def _stop(self, place: Place, kept: KeptRun) -> None:
        with contextlib.suppress(NotFound):
            await self._jobs.cancel(place, kept.job)


def _required(run: Run) -> list[dict[str, Any]]:
    action = run.required_action
    return [] if action is None else list(action["submit_tool_outputs"]["tool_calls"])


def _no_outputs(run: Run) -> InvalidField:
    return InvalidField(f'Runs in status "{run.status}" do not accept tool outputs.', param="run_id")


def _given(run: Run, outputs: Outputs) -> dict[str, str]:
    """What each of the calls gave. Raises `InvalidField` where it is not what was asked for."""
    wanted = [call["id"] for call in _required(run)]
    given: dict[str, str] = {}
    for index, each in enumerate(outputs.tool_outputs):
        at = f"tool_outputs[{index}].tool_call_id"
        if each.tool_call_id is None or each.tool_call_id not in wanted or each.tool_call_id in given:
            raise InvalidField(f"Invalid '{at}': the run waits for outputs of {wanted}, of each one once.", param=at)
        given[each.tool_call_id] = each.output or ""
    if len(given) < len(wanted):
        message = f"Expected tool outputs for call_ids {wanted}, got {list(given)}"
        raise InvalidField(message, param="tool_outputs")
    return given
