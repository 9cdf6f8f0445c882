"""Makes responses in the background: what a worker does with the job of one.

    the model is asked    a piece of its answer -> events, recorded together, as they come
    it has said all       the step `answer`: what became of the response, with the events that close its last item
    its conversation      the step `talk`: what was said is added to it
    it is stored          whole, as it is from then on
    the last event        tells of that

Whoever does it may die between any two of these; the next one goes on behind what is recorded. Where that was in the
midst of an answer, the model is asked anew: what the dead one left open is closed as incomplete, and stays in the
output before what comes now, because somebody may have seen it. A call of a function that was whole may even have been
carried out: then the model is not asked anew, and what there is is the answer.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.errors import Broken, ForehearthError, InvalidField, NotFound
from forehearth.core.exchange import Reply, Stream
from forehearth.core.place import Place
from forehearth.core.usage import Usage
from forehearth.dialects.responses import chunks, objects, states
from forehearth.dialects.responses.answer import Answer, Event
from forehearth.dialects.responses.asked import Question
from forehearth.dialects.responses.items import NewId
from forehearth.dialects.responses.objects import Frame
from forehearth.dialects.responses.passed import Passed
from forehearth.jobs.desk import Jobs
from forehearth.jobs.run import JobCancelled, Run, unless_cancelled
from forehearth.ports.door import Door
from forehearth.responses.caller import Asker, Caller
from forehearth.responses.kept import KeptResponses
from forehearth.responses.loop import ROUND, Batch, Past
from forehearth.responses.loops import Loops
from forehearth.responses.questions import Questions, without_references
from forehearth.responses.talk import Talks

HEAD: Final = 2
"""Events before those that the job tells: `response.created` and `response.queued`, which follow from the question."""
ANSWER: Final = "answer"
TALK: Final = "talk"
_OWN: Final = frozenset({"type", "sequence_number", "response"})
"""Members of events that are not recorded with them: they are known, or, as the response is, stored elsewhere."""
_TOGETHER: Final = 100
_log = logging.getLogger("forehearth.responses")


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What it is done with."""

    kept: KeptResponses
    talks: Talks
    questions: Questions
    jobs: Jobs
    door: Door
    new_id: NewId
    clock: Clock
    loops: Loops


class Work:
    """The handler of the jobs of one resource."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, run: Run) -> None:
        """Carry out an attempt. Raises `JobCancelled` for a response that is cancelled."""
        job, parts = run.job, self._parts
        try:
            kept = await parts.kept.at(job.place, job.id)
        except NotFound:
            return  # removed before it had its turn
        if kept.asked is None:
            await self._tell_end(run, kept.response)
            return
        asker = run.input(Asker)
        caller = asker.caller(job.place, attempt=job.fence, started=parts.clock.monotonic())
        question = parts.questions.again(parts.kept.asked(kept), agent=kept.agent)
        frame = Frame(id=job.id, created_at=kept.response["created_at"], question=question)
        answer = Answer(frame, parts.new_id, parts.clock.unix)
        answer.queue()
        closing = answer.again([event async for event in told(parts.jobs, job.place, job.id)])
        said: Answer | Passed = answer
        if run.done(ANSWER):
            answer.restore(await run.step(ANSWER, _never, of=objects.State, though_cancelled=True))
        else:
            await _tell(run, closing)
            said = await self._answer(run, caller, question, answer)
        await self._end(run, caller, question, said)

    async def _answer(self, run: Run, caller: Caller, question: Question, answer: Answer) -> Answer | Passed:
        """Have the model say all, or what it says until something goes wrong or nobody wants it any more."""
        said: Answer | Passed = answer
        events: list[Event] = []
        if run.last_event < 0:
            await _tell(run, answer.begin())
        if answer.called:
            events = answer.stop_here()
        elif question.tools.remote:
            events = await self._loop(run, caller, question, answer)
        else:
            said, events = await self._ask(run, caller, question, answer)
        became = msgspec.structs.replace(said.became, output=())
        await run.record(steps={ANSWER: became}, events=[_recorded(each) for each in events if not _is_last(each)])
        return said

    async def _ask(
        self, run: Run, caller: Caller, question: Question, answer: Answer | Passed
    ) -> tuple[Answer | Passed, list[Event]]:
        """Ask the model; what its answer is read by, and the events of its end, which are not told yet."""
        record, source = caller.record, None
        held: list[Event] = []
        try:
            reply = await unless_cancelled(run, self._reply(caller, question))
            source = reply.stream
            if reply.in_responses:
                answer = self._passed(run, question, answer)
            if source is None:
                held += answer.whole(reply.body)
            else:
                await self._follow(run, source, answer, held)
            record.status = 200
        except JobCancelled:
            answer.cancel()
            record.outcome = "cancelled"
        except ForehearthError as error:
            held += answer.fail(error)
        finally:
            if source is not None:
                await source.aclose()
            failure = answer.failure
            record.outcome = record.outcome or ("ok" if failure is None else failure.code)
            record.close()
        if failure is not None:
            _log.warning("a response failed: %s", failure.message)
        return answer, held

    def _passed(self, run: Run, question: Question, answer: Answer | Passed) -> Passed:
        """What reads the answer of a host that has this API, behind what was told before."""
        begun = answer.response
        frame = Frame(id=run.job.id, created_at=begun["created_at"], question=question)
        return Passed(frame, self._parts.clock.unix, before=begun["output"], told=True)

    async def _loop(self, run: Run, caller: Caller, question: Question, answer: Answer) -> list[Event]:
        """Ask the model and call its tools, each a step; the events of the end, which are not told yet."""
        batches: AsyncGenerator[Batch, None] | None = None
        held: list[Event] = []
        try:
            _, loop = await self._parts.loops.open(caller, _streamed(question), answer, await _past(run))
            batches, held = loop.batches(), loop.held
            while True:
                batch = await unless_cancelled(run, anext(batches))
                if batch.last:
                    return batch.events
                await run.record(steps=batch.steps, events=[_recorded(each) for each in batch.events])
        except JobCancelled:
            answer.cancel()
            return held
        except ForehearthError as error:
            return answer.fail(error)
        finally:
            if batches is not None:
                await batches.aclose()
            _close(caller, answer)

    async def _reply(self, caller: Caller, question: Question) -> Reply:
        question = _streamed(question)
        _, body, passed = await self._parts.questions.asked(caller, question)
        return await self._parts.door(caller.call(question, body, passed))

    async def _follow(self, run: Run, source: Stream, answer: Answer | Passed, held: list[Event]) -> None:
        """Tell what the model says. What comes when it has said all is `held`, and told with the end."""
        while not answer.over:
            try:
                piece = await unless_cancelled(run, source.__anext__())
            except StopAsyncIteration:
                held += answer.finish()
                return
            events = answer.feed(piece)
            if held or answer.said:
                held += events
            else:
                await _tell(run, events)

    async def _end(self, run: Run, caller: Caller, question: Question, answer: Answer | Passed) -> None:
        conversation = question.conversation
        if conversation is not None:
            problem = await run.step(TALK, lambda: self._talk(caller, question, answer.response), though_cancelled=True)
            if problem is not None:
                answer.restore(msgspec.structs.replace(answer.became, status="failed", error=problem))
        response = answer.response
        try:
            await self._parts.kept.end(run.job.place, response)
        except NotFound:
            return  # removed while it was made
        await self._tell_end(run, response)

    async def _talk(self, caller: Caller, question: Question, response: dict[str, Any]) -> dict[str, str] | None:
        """Add to the conversation what was said; what went wrong, where it could not be."""
        conversation = question.conversation or ""
        kept = await self._parts.kept.at(caller.place, response["id"])
        new = without_references(question, tuple(kept.input))
        try:
            await self._parts.talks.add(caller, conversation, new, response)
        except InvalidField as error:
            try:
                added = await self._parts.talks.added(caller.place, conversation, response)
            except NotFound:
                added = False
            return None if added else chunks.told(error)
        except ForehearthError as error:
            return chunks.told(error)
        return None

    async def _tell_end(self, run: Run, response: dict[str, Any]) -> None:
        """The last event. There is none for a response that is cancelled: its stream just ends."""
        status = response["status"]
        if status == "cancelled":
            raise JobCancelled
        await run.record(steps={"end": None}, events=[] if run.done("end") else [(f"response.{status}", {})])


def _streamed(question: Question) -> Question:
    return msgspec.structs.replace(question, body=msgspec.structs.replace(question.body, stream=True))


def _close(caller: Caller, answer: Answer) -> None:
    """The call of the model is over, or the first of several is: what is owed to the ledger.

    As in a call without tools, it has a status where there was an answer, and none where nobody was answered.
    """
    record, failure = caller.record, answer.failure
    cancelled = answer.became.status == "cancelled"
    record.status = record.status or (0 if cancelled or failure is not None else 200)
    record.outcome = record.outcome or ("cancelled" if cancelled else "ok" if failure is None else failure.code)
    record.close()
    if failure is not None:
        _log.warning("a response failed: %s", failure.message)


async def _past(run: Run) -> Past:
    """What earlier attempts were told by the model."""
    usages: list[Usage | None] = []
    while run.done(name := f"{ROUND}{len(usages) + 1}"):
        used = await run.step(name, _never, though_cancelled=True)
        usages.append(None if used is None else msgspec.convert(used, Usage))
    return Past(usages=usages)


async def told(jobs: Jobs, place: Place, id: str) -> AsyncIterator[Event]:  # noqa: A002 - what it is
    """The events that earlier attempts told, without the responses in them."""
    after = -1
    while found := await jobs.events(place, id, after=after, limit=_TOGETHER):
        for each in found:
            yield event(each.number, each.name, each.body)
            after = each.number


def event(number: int, name: str, body: bytes) -> Event:
    """One of them, as a stream has it but for a response in it."""
    members: dict[str, Any] = msgspec.json.decode(body)
    return {"type": name, "sequence_number": number + HEAD, **members}


async def _tell(run: Run, events: list[Event]) -> None:
    if events:
        await run.append(*map(_recorded, events))


def _recorded(each: Event) -> tuple[str, dict[str, Any]]:
    return each["type"], {name: value for name, value in each.items() if name not in _OWN}


def _is_last(each: Event) -> bool:
    return each["type"] in (states.COMPLETED, states.INCOMPLETE, states.FAILED)


async def _never() -> object:
    raise Broken("A step that is recorded was to be done.")
