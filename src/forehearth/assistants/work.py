"""Carries out runs: what a worker does with the job of one.

    the model is asked     a piece of its answer -> events, recorded together, as they come
    it has said all        the step `answer`: what became of the run by that
    messages and steps     are kept as they are then
    the run                goes on to its next status
    the last events        tell of that: the step `end`

Whoever does it may die between any two of these; the next one goes on behind what is recorded. Where that was in the
midst of an answer, the model is asked anew: the message or step that the dead one left open ends as incomplete or
failed, because somebody may have seen it, and a model is not shown it. Functions are called when the step `end` is
recorded, and not before.
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final, TypeVar

import msgspec

from forehearth.assistants.ending import Ending, moved
from forehearth.assistants.kept import Kept, KeptRun
from forehearth.assistants.runs import Leg
from forehearth.core.errors import Broken, ForehearthError, NotFound
from forehearth.core.exchange import Stream
from forehearth.core.place import Place
from forehearth.dialects.assistants import chat
from forehearth.dialects.assistants.answer import Answer, Event, Outcome, events, is_too_long, left_open, shown
from forehearth.dialects.assistants.chat import Count
from forehearth.dialects.assistants.objects import Item, Json, Message, Step
from forehearth.dialects.assistants.states import Move, Status
from forehearth.jobs.desk import Jobs
from forehearth.jobs.run import JobCancelled, Run, unless_cancelled
from forehearth.ports.door import Door
from forehearth.responses.caller import Caller

LONGEST: Final = 8 << 20
"""Bytes of a thread's messages that a model is shown, the newest."""
ANSWER: Final = "answer"
END: Final = "end"
_TOGETHER: Final = 100
_log = logging.getLogger("forehearth.assistants")
T = TypeVar("T")


class _Spent(Exception):
    """A bound of the run leaves nothing to ask a model with."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is shown."""

    messages: list[Json]
    together: int
    """How many of the last ones belong together: what was said and done in this run."""
    most: int | None
    """Tokens that it may answer with."""

    def shorter(self) -> "_Question | None":
        """The same with less of the thread; None where nothing more can be left out."""
        less = chat.halved(self.messages, kept=self.together)
        return None if less is None else msgspec.structs.replace(self, messages=less)


class Work:
    """The handler of the jobs of one resource. `counting` gives a vocabulary, where there is one."""

    def __init__(self, kept: Kept, jobs: Jobs, door: Door, counting: Callable[[], Count | None]) -> None:
        self._kept = kept
        self._jobs = jobs
        self._door = door
        self._counting = counting
        self._ending = Ending(kept)

    async def __call__(self, run: Run) -> None:
        """Carry out an attempt. Raises `JobCancelled` for a run that is cancelled."""
        leg, place = run.input(Leg), run.job.place
        try:
            kept = await self._kept.runs.get(place, leg.run, parent=leg.thread)
            if kept.leg != leg.number:
                return  # it went on from here
            if run.done(ANSWER):
                outcome = await run.step(ANSWER, _never, of=Outcome, though_cancelled=True)
            elif kept.run.status.final:
                return
            else:
                outcome = await self._answer(run, place, kept)
            await self._end(run, place, kept, outcome)
        except NotFound:
            await self._leave(place, leg)

    async def _leave(self, place: Place, leg: Leg) -> None:
        """Leave nothing of a run that went with its thread, whatever was written of it meanwhile."""
        try:
            await self._kept.runs.get(place, leg.run, parent=leg.thread)
        except NotFound:
            await self._kept.clear(place, leg.thread, leg.run)

    async def _answer(self, run: Run, place: Place, kept: KeptRun) -> Outcome:
        """Have the model say all, or what it says until something goes wrong or nobody wants it any more."""
        if kept.given:
            await self._kept.give(place, kept)
        told = await self._told(run)
        await self._put(run, place, shown(told))  # whoever told of it may not have come to that
        await self._tell(run, place, events(left_open(told, self._kept.now)))

        def begin(now: KeptRun) -> KeptRun:
            return moved(msgspec.structs.replace(now, given={}), Move.BEGIN, self._kept.now)

        kept = await self._kept.runs.change(place, kept.run.id, begin, parent=kept.run.thread_id)
        if kept.run.status.final:
            return Outcome(move=Move.CANCEL)  # it is over already, and stays as it is
        if not told:
            await run.append((f"thread.run.{kept.run.status}", kept.run))
        outcome = await self._ask(run, place, kept)
        await run.record(steps={ANSWER: outcome})
        return outcome

    async def _told(self, run: Run) -> list[tuple[str, dict[str, Any]]]:
        """What earlier attempts told."""
        told: list[tuple[str, dict[str, Any]]] = []
        after = -1
        while found := await self._jobs.events(run.job.place, run.job.id, after=after, limit=_TOGETHER):
            told += ((each.name, msgspec.json.decode(each.body)) for each in found)
            after = found[-1].number
        return told

    async def _ask(self, run: Run, place: Place, kept: KeptRun) -> Outcome:
        """Ask the model, with less of the thread where that is too long for it; what becomes of the run by that."""
        try:
            question = await self._question(place, kept)
        except _Spent as spent:
            return Outcome(move=Move.CUT, reason=spent.reason)
        shortens = kept.run.truncation_strategy["type"] == "auto"
        for number in itertools.count():
            outcome, error = await self._carried(run, place, kept, question, number)
            shorter = question.shorter() if shortens and error is not None and is_too_long(error) else None
            if shorter is None or outcome.items:
                break
            question = shorter
        if outcome.error is not None:
            _log.warning("a run failed: %s", outcome.error.message)
        return outcome

    async def _carried(
        self, run: Run, place: Place, kept: KeptRun, question: _Question, number: int
    ) -> tuple[Outcome, ForehearthError | None]:
        """Ask it once; and what went wrong. `number` is how often it was asked before in this attempt."""
        answer = Answer(kept.run, self._kept.new_id, self._kept.clock.unix)
        caller = _caller(kept, run, self._kept.clock.monotonic(), number)
        record, outcome, failure = caller.record, Outcome(move=Move.CANCEL), None
        record.say("assistants", f"It is for the run {kept.run.id}.")
        try:
            outcome = await self._followed(run, place, kept, question, caller, answer)
            record.status, record.outcome = 200, "ok"
        except JobCancelled:
            await self._tell_cancelling(run, place, kept)
            outcome = answer.leave(Move.CANCEL)
            record.outcome = "cancelled"
        except TimeoutError:
            outcome = answer.leave(Move.EXPIRE)
            record.outcome = "expired"
        except ForehearthError as error:
            outcome, failure = answer.leave(Move.FAIL, error), error
            record.outcome = error.code
        finally:
            record.close()
        await self._tell(run, place, answer.untold())
        return outcome, failure

    async def _followed(
        self, run: Run, place: Place, kept: KeptRun, question: _Question, caller: Caller, answer: Answer
    ) -> Outcome:
        body = chat.body(kept.run, question.messages, most=question.most)
        call = caller.ask(kept.run.model, body, asked_as="runs", stream=True, output=question.most)
        left = (kept.run.expires_at or 0) - self._kept.clock.unix()
        until = asyncio.get_running_loop().time() + left
        reply = await _unless_over(run, self._door(call), until)
        if reply.stream is None:
            await self._tell(run, place, answer.whole(reply.body))
        else:
            await self._follow(run, place, reply.stream, answer, until)
        due, outcome = answer.finish()
        await self._tell(run, place, due)
        return outcome

    async def _follow(self, run: Run, place: Place, source: Stream, answer: Answer, until: float) -> None:
        try:
            while True:
                try:
                    piece = await _unless_over(run, source.__anext__(), until)
                except StopAsyncIteration:
                    return
                await self._tell(run, place, answer.feed(piece))
        finally:
            await source.aclose()

    async def _question(self, place: Place, kept: KeptRun) -> _Question:
        """What the model is shown for the next answer. Raises `_Spent`."""
        run, store = kept.run, self._kept
        own = {each.id: each for each in await store.messages.every(place, parent=run.thread_id, run=run.id)}
        steps = await store.steps.every(place, parent=run.id)
        last = run.truncation_strategy["last_messages"]
        most = None if last is None else last + len(own)
        newest = await store.messages.newest(place, parent=run.thread_id, most=most, most_bytes=LONGEST)
        thread = [each for each in newest if each.id not in own and chat.shown(each)]
        messages = chat.conversation(run, thread, steps, own)
        used = kept.used
        completion = chat.left(run.max_completion_tokens, used.completion_tokens if used else 0)
        if completion == 0:
            raise _Spent("max_completion_tokens")
        together = len(chat.so_far(steps, own))
        prompt = chat.left(run.max_prompt_tokens, used.prompt_tokens if used else 0)
        if prompt is not None:
            count = await asyncio.to_thread(self._counting) or chat.estimate
            fitting = await asyncio.to_thread(chat.fitting, messages, prompt, count, kept=together)
            if fitting is None:
                raise _Spent("max_prompt_tokens")
            messages = fitting
        return _Question(messages=messages, together=together, most=completion)

    async def _tell(self, run: Run, place: Place, due: list[Event]) -> None:
        """Tell these, and keep what they show. Whoever has lost the job cannot tell, and so keeps nothing either."""
        if not due:
            return
        await run.append(*due)
        items = {body.id: body for _, body in due if isinstance(body, Message | Step)}
        await self._put(run, place, items.values())

    async def _put(self, run: Run, place: Place, items: Collection[Item]) -> None:
        """Keep these as they are now. Raises `NotFound` where the run went with its thread."""
        if not items:
            return
        leg = run.input(Leg)
        for item in items:
            await self._kept.put(place, item)
        await self._kept.runs.get(place, leg.run, parent=leg.thread)

    async def _tell_cancelling(self, run: Run, place: Place, kept: KeptRun) -> None:
        now = (await self._kept.runs.get(place, kept.run.id, parent=kept.run.thread_id)).run
        if now.status is Status.CANCELLING:
            await run.append((f"thread.run.{now.status}", now))

    async def _end(self, run: Run, place: Place, kept: KeptRun, outcome: Outcome) -> None:
        await self._put(run, place, outcome.items)
        after, closed = await self._ending.answered(place, kept, outcome)
        items: list[Item] = [*outcome.items, *closed]
        last = (f"thread.run.{after.run.status}", after.run)
        if not run.done(END):
            await run.record(steps={END: None}, events=[*events(items), last])
        if after.run.status is Status.CANCELLED and run.cancel_asked:
            raise JobCancelled


def _caller(kept: KeptRun, run: Run, started: float, number: int) -> Caller:
    """Who asked for the run, for one call, each of which has an id of its own in the ledger."""
    asker = kept.asker
    if asker is None:
        raise Broken("A run that is not over has nobody who asked for it.")
    caller = asker.caller(run.job.place, attempt=run.job.fence, started=started)
    again = f"{caller.request_id}-again-{number}"
    return msgspec.structs.replace(caller, request_id=again) if number else caller


async def _unless_over(run: Run, work: Awaitable[T], until: float) -> T:
    """What `work` gives, before that moment of the loop. Raises `TimeoutError`, and `JobCancelled` as soon as it is."""
    async with asyncio.timeout_at(until):
        return await unless_cancelled(run, work)


async def _never() -> object:
    raise Broken("A step that is recorded was to be done.")
