"""Opens loops for responses with tools that are called here, and runs one to its end or as a stream."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

from forehearth.core.errors import ForehearthError
from forehearth.core.place import Place
from forehearth.core.record import CallRecord
from forehearth.dialects.responses.answer import Answer, Event
from forehearth.dialects.responses.asked import Question
from forehearth.responses.caller import Caller
from forehearth.responses.loop import NO_PAST, Batch, Loop, Parts, Past
from forehearth.responses.marks import Marks
from forehearth.responses.questions import Questions, Talk
from forehearth.responses.run import Keep, Run
from forehearth.responses.toolbox import Sources, Toolbox

SourcesAt = Callable[[Place, Iterable[str]], Awaitable[Sources]]
"""Makes sources of tools for what is asked at a place, and names these connections."""


class Loops:
    """Those of one resource."""

    def __init__(self, parts: Parts, questions: Questions, sources_at: SourcesAt) -> None:
        self._parts = parts
        self._questions = questions
        self._sources_at = sources_at

    async def box(self, caller: Caller, question: Question) -> Toolbox:
        """The tools that are asked for, not filled yet. Raises `InvalidField`, `NotSupported` and `AddressRefused`."""
        named = [each.connection for each in question.tools.remote if each.connection]
        return Toolbox(question.tools, await self._sources_at(caller.place, named))

    async def open(self, caller: Caller, question: Question, answer: Answer, past: Past = NO_PAST) -> tuple[Talk, Loop]:
        """What is to be answered, and the loop that answers it. Raises as `box`, and as `Questions.talk`."""
        talk = await self._questions.talk(caller, question)
        box = await self.box(caller, question)
        return talk, Loop(self._parts, caller, question, answer, talk, box=box, past=past)


async def run_whole(loop: Loop, marks: Marks) -> None:
    """Run a loop to its end. Raises what went wrong before anything was done."""
    batches = loop.batches()
    try:
        async for batch in batches:
            marks.note(batch.events)
    finally:
        await batches.aclose()


class LoopedRun(Run):
    """The stream of the events of a response with tools."""

    def __init__(self, answer: Answer, loop: Loop, keep: Keep | None, record: CallRecord, marks: Marks) -> None:
        super().__init__(answer, None, keep, record, marks)
        self._batches: AsyncGenerator[Batch, None] | None = loop.batches()

    async def first(self) -> list[Event]:
        """The first events. Raises what goes wrong before there are any."""
        return await self._next()

    async def aclose(self) -> None:
        """See `core.exchange.Stream`."""
        batches, self._batches = self._batches, None
        try:
            if batches is not None:
                await batches.aclose()
        finally:
            await super().aclose()

    async def more(self) -> list[Event]:
        """The events that come next."""
        try:
            return await self._next()
        except ForehearthError as error:
            return self._answer.fail(error)

    async def _next(self) -> list[Event]:
        if self._batches is None:
            return []
        return (await anext(self._batches)).events
