"""What can be done with responses: make, read, delete and cancel them, list their input, count its tokens."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import msgspec

from forehearth.core.call import Call
from forehearth.core.clock import Clock
from forehearth.core.errors import BackendRefused, InvalidField, NotSupported, Refused
from forehearth.core.exchange import Header, Reply
from forehearth.dialects.responses import asked, chat
from forehearth.dialects.responses.answer import Answer
from forehearth.dialects.responses.asked import Question
from forehearth.dialects.responses.chat import Count
from forehearth.dialects.responses.items import NewId, Resource
from forehearth.dialects.responses.objects import Frame
from forehearth.dialects.responses.passed import Passed
from forehearth.documents.repository import MOST, NEWEST, Order
from forehearth.ports.door import Door
from forehearth.responses.background import Background
from forehearth.responses.caller import Caller
from forehearth.responses.kept import KeptResponses
from forehearth.responses.loops import LoopedRun, Loops, run_whole
from forehearth.responses.marks import Marks, Times
from forehearth.responses.questions import Questions, without_references
from forehearth.responses.run import Keep, Run
from forehearth.responses.talk import Talks

_log = logging.getLogger("forehearth.responses")
_JSON: Final[Header] = (b"content-type", b"application/json")
_EVENTS: Final[Header] = (b"content-type", b"text/event-stream; charset=utf-8")
_OWN: Final = frozenset({b"content-type", b"content-length"})


class Responses:
    """The responses of one resource. `door` leads to its models; `counting` gives a vocabulary, where there is one."""

    def __init__(  # noqa: PLR0913 - its parts, each by its name
        self,
        kept: KeptResponses,
        talks: Talks,
        questions: Questions,
        door: Door,
        background: Background,
        loops: Loops,
        *,
        new_id: NewId,
        clock: Clock,
        counting: Callable[[], Count | None] = lambda: None,
    ) -> None:
        self._kept = kept
        self._talks = talks
        self._questions = questions
        self._door = door
        self._background = background
        self._loops = loops
        self._new_id = new_id
        self._clock = clock
        self._counting = counting
        self._keeping: set[asyncio.Task[None]] = set()

    async def create(self, caller: Caller, body: bytes, *, deployment: str | None = None) -> Reply:
        """Answer the question in `body`: whole, or as a stream of events.

        `deployment` is the model where the path names it. Raises the `ForehearthError` that fits.
        """
        question = await self._questions.read(caller, body, deployment)
        if question.tools.remote and not question.body.background:
            return await self._looped(caller, question)
        items, chat_body, passed = await self._questions.asked(caller, question)
        if question.body.background:
            await self._loops.box(caller, question)
            return await self._begin(caller, question, items)
        reply = await self._call(caller.call(question, chat_body, passed))
        frame, unix = self._frame(question), self._clock.unix
        answer = Passed(frame, unix) if reply.in_responses else Answer(frame, self._new_id, unix)
        keep = self._keeper(caller, question, items) if question.stored else None
        caller.record.say("responses", f"It is the response {frame.id}, {'kept' if keep else 'not kept'}.")
        headers = [header for header in reply.headers if header[0].lower() not in _OWN]
        if question.body.stream:
            run = Run(answer, reply.stream, keep, caller.record, Marks(self._clock.unix))
            await run.begin(answer.begin() + ([] if reply.stream is not None else answer.whole(reply.body)))
            return Reply(status=reply.status, headers=[_EVENTS, *headers], stream=run)
        answer.begin()
        answer.whole(reply.body)
        if keep is not None:
            await keep(answer.response, {})
        sent = answer.body if isinstance(answer, Passed) else msgspec.json.encode(answer.response)
        return Reply(status=reply.status, headers=[_JSON, *headers], body=sent)

    async def get(self, caller: Caller, id: str) -> dict[str, Any]:  # noqa: A002 - what it is
        """A stored response, as it is now. Raises `NotFound`."""
        return await self._background.shown(caller.place, await self._kept.get(caller, id))

    async def stream(self, caller: Caller, id: str, *, after: int = -1) -> Reply:  # noqa: A002 - what it is
        """The events of one that is or was made in the background, behind the one of that number.

        Raises `NotFound`, and `InvalidField` where there are none.
        """
        kept = await self._kept.get(caller, id)
        if not kept.response["background"]:
            message = "This response cannot be streamed because it was not created with background=true."
            raise InvalidField(message, param="stream")
        stream = await self._background.stream(caller.place, kept, after=after)
        return Reply(status=200, headers=[_EVENTS], stream=stream)

    async def delete(self, caller: Caller, id: str) -> dict[str, Any]:  # noqa: A002 - what it is
        """Remove one; what is said of it. Raises `NotFound`."""
        kept = await self._kept.get(caller, id)
        await self._background.forget(caller.place, kept)
        await self._kept.delete(caller, id)
        return {"id": id, "object": "response", "deleted": True}

    async def cancel(self, caller: Caller, id: str) -> dict[str, Any]:  # noqa: A002 - what it is
        """Break off one that is made in the background; of one that has ended, what it is.

        Raises `NotFound`, and `InvalidField` for one that is made otherwise.
        """
        kept = await self._kept.get(caller, id)
        if kept.response["background"]:
            return await self._background.cancel(caller.place, kept)
        raise InvalidField("Cannot cancel a synchronous response: close its connection instead.", param="response_id")

    async def input_items(self, caller: Caller, id: str, order: Order = NEWEST) -> dict[str, Any]:  # noqa: A002 - what it is
        """One page of what was sent to make it, the latest item first unless asked otherwise.

        Raises `NotFound`, and `InvalidField` for a page that cannot be.
        """
        items = (await self._kept.get(caller, id)).input
        return _page(items, order)

    async def input_tokens(self, caller: Caller, body: bytes) -> dict[str, Any]:
        """How many tokens the model would read, counted here. Raises as `create` does."""
        question = asked.read_counted(body, self._new_id)
        items, chat_body, _ = await self._questions.asked(caller, question)
        if any(part["type"] in ("input_image", "input_file") for part in _contents(items)):
            raise NotSupported("Images and files cannot be counted here: their model alone can.", param="input")
        count = await asyncio.to_thread(self._counting)
        if count is None:
            raise NotSupported(
                "Tokens cannot be counted on this server: its operator has to install the vocabularies, with "
                "pip install 'forehearth[tokens]'."
            )
        return {
            "object": "response.input_tokens",
            "input_tokens": await asyncio.to_thread(chat.tokens, chat_body, count),
        }

    async def _begin(self, caller: Caller, question: Question, items: tuple[Resource, ...]) -> Reply:
        """Have it made in the background; the response that is queued, or its events as they come."""
        response = await self._background.begin(caller, question, items)
        caller.record.say("responses", f"It is the response {response['id']}, made in the background.")
        if question.body.stream:
            return await self.stream(caller, response["id"])
        return Reply(status=200, headers=[_JSON], body=msgspec.json.encode(response))

    async def _looped(self, caller: Caller, question: Question) -> Reply:
        """The same, with tools that are called here."""
        frame = self._frame(question)
        answer = Answer(frame, self._new_id, self._clock.unix)
        talk, loop = await self._loops.open(caller, question, answer)
        keep = self._keeper(caller, question, talk.input) if question.stored else None
        caller.record.say("responses", f"It is the response {frame.id}, {'kept' if keep else 'not kept'}.")
        begun = answer.begin()
        if question.body.stream:
            run = LoopedRun(answer, loop, keep, caller.record, Marks(self._clock.unix))
            await run.begin(begun + await run.first())
            return Reply(status=200, headers=[_EVENTS], stream=run)
        marks = Marks(self._clock.unix)
        await run_whole(loop, marks)
        if keep is not None:
            await keep(answer.response, marks.times)
        headers = [header for header in loop.headers if header[0].lower() not in _OWN]
        return Reply(status=200, headers=[_JSON, *headers], body=msgspec.json.encode(answer.response))

    def _frame(self, question: Question) -> Frame:
        return Frame(id=self._new_id("resp"), created_at=int(self._clock.unix()), question=question)

    async def _call(self, call: Call) -> Reply:
        """Ask the model. What it refuses is named as the caller named it."""
        try:
            return await self._door(call)
        except (Refused, BackendRefused) as error:
            error.param = chat.named_here(error.param)
            raise

    def _keeper(self, caller: Caller, question: Question, items: tuple[Resource, ...]) -> Keep:
        """Stores a response, to the end although whoever waits for it is gone."""

        async def keep(response: dict[str, Any], times: Times) -> None:
            task = asyncio.create_task(self._keep(caller, question, items, response, times))
            self._keeping.add(task)
            task.add_done_callback(self._ended)
            await asyncio.shield(task)

        return keep

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._keeping.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.warning("a response was not stored: %s", error)

    async def _keep(
        self,
        caller: Caller,
        question: Question,
        items: tuple[Resource, ...],
        response: dict[str, Any],
        times: Times,
    ) -> None:
        if question.conversation is not None:
            new = without_references(question, items)
            await self._talks.add(caller, question.conversation, new, response, renames=True)
        await self._kept.keep(caller, response, items, times)


def _contents(items: tuple[Resource, ...]) -> list[Resource]:
    return [part for item in items for part in item.get("content") or () if isinstance(part, dict)]


def _page(items: list[Resource], order: Order) -> dict[str, Any]:
    if not 1 <= order.limit <= MOST:
        raise InvalidField(f"'limit' is a whole number from 1 to {MOST}.", param="limit")
    ids = [item["id"] for item in items]
    ordered = items[::-1] if order.newest_first else items
    for bound, cursor in (("after", order.after), ("before", order.before)):
        if cursor is not None and cursor not in ids:
            raise InvalidField(f"'{bound}' is not the id of an item in this list.", param=bound)
    names = [item["id"] for item in ordered]
    start = 0 if order.after is None else names.index(order.after) + 1
    end = len(names) if order.before is None else names.index(order.before)
    found = ordered[start:end]
    kept = found[-order.limit :] if order.before is not None else found[: order.limit]
    return {
        "object": "list",
        "data": kept,
        "has_more": len(found) > len(kept),
        "first_id": kept[0]["id"] if kept else None,
        "last_id": kept[-1]["id"] if kept else None,
    }
