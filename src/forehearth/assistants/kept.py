"""What is stored of classic agents. Everything belongs to a place, and what is elsewhere is not there.

A thread's messages and runs hang under it, a run's steps under the run. Metadata that callers give is part of the
bodies; that of the documents says which run a message is of.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.document import Document
from forehearth.core.errors import Conflict, NotFound, PreconditionFailed
from forehearth.core.place import Place
from forehearth.dialects.assistants.objects import Assistant, Message, Run, Step, Thread, Tokens, with_outputs
from forehearth.dialects.wrong_members import shown
from forehearth.documents.parts import page, parts
from forehearth.documents.repository import Documents, New, Order
from forehearth.ports.documents import DocumentStore
from forehearth.responses.caller import Asker

_TRIES: Final = 50
_ALL: Final = Order(limit=100, newest_first=False)
_SWEPT: Final = Order(limit=100)


class KeptThread(msgspec.Struct, frozen=True, kw_only=True):
    """A thread, and the run that was begun in it last."""

    thread: Thread
    latest_run: str = ""


class KeptRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run, and what it takes to go on with it."""

    run: Run
    leg: int = 0
    """How often the functions of the run were carried out: each time a job of its own goes on with it."""
    used: Tokens | None = None
    """What it used so far, as far as its model's hosts said so. A run shows it when it is over."""
    asker: Asker | None = None
    """Who asked for it, or for it to go on; None once it is over."""
    given: Mapping[str, str] = {}
    """What its functions gave, by the ids of their calls, until a worker begins to go on with it."""

    @property
    def job(self) -> str:
        """The id of the job that goes on with it, or did."""
        return f"{self.run.id}-{self.leg}"


T = TypeVar("T")


class Shelf(Generic[T]):
    """Documents of one kind, as what they are."""

    def __init__(self, documents: Documents, kind: type[T], called: str) -> None:
        self._documents = documents
        self._decoder = msgspec.json.Decoder(kind)
        self._called = called

    async def get(self, place: Place, id: str, *, parent: str = "") -> T:  # noqa: A002 - what it is
        """One of them, which hangs under `parent`. Raises `NotFound`."""
        return self._decoder.decode((await self._found(place, id, parent)).body)

    async def create(self, place: Place, id: str, value: T, *, parent: str = "", run: str = "") -> None:  # noqa: A002 - what it is
        """Keep a new one; `run` is the run that it is of. Raises `Conflict` where its id is taken."""
        marks = {"run": run} if run else None
        await self._documents.create(place, msgspec.json.encode(value), id=id, parent=parent, metadata=marks)

    async def create_many(self, place: Place, values: Mapping[str, T], *, parent: str) -> None:
        """Keep new ones by their ids, all or none, in their order."""
        new = [New(id=each, body=msgspec.json.encode(value)) for each, value in values.items()]
        await self._documents.create_many(place, new, parent=parent)

    async def put(
        self,
        place: Place,
        id: str,  # noqa: A002 - what it is
        value: T,
        *,
        parent: str = "",
        run: str = "",
        unless: Callable[[T], bool] = lambda _: False,
    ) -> None:
        """Keep it as it is now, new or not, unless what is kept is such that it stays."""
        try:
            await self.change(place, id, lambda now: now if unless(now) else value, parent=parent)
        except NotFound:
            try:
                await self.create(place, id, value, parent=parent, run=run)
            except Conflict:
                await self.put(place, id, value, parent=parent, run=run, unless=unless)

    async def change(self, place: Place, id: str, how: Callable[[T], T], *, parent: str = "") -> T:  # noqa: A002 - what it is
        """Make something else of it, in one step, whoever else changes it; what it is then.

        Raises `NotFound`, what `how` raises, and `Conflict` while others change it too often.
        """
        for _ in range(_TRIES):
            found = await self._found(place, id, parent)
            value = how(self._decoder.decode(found.body))
            changed = msgspec.structs.replace(found, body=msgspec.json.encode(value))
            try:
                await self._documents.update(changed, etag=found.etag)
            except PreconditionFailed:
                continue
            return value
        raise Conflict(f"The {self._called} '{shown(id)}' is changed too often now: try again.")

    async def delete(self, place: Place, id: str, *, parent: str = "") -> None:  # noqa: A002 - what it is
        """Remove it. Raises `NotFound`."""
        await self._found(place, id, parent)
        await self._documents.delete(place, id)

    async def page(
        self, place: Place, order: Order, *, parent: str | None = None, run: str = ""
    ) -> tuple[list[T], bool]:
        """Some of them, and whether there are more. Raises `InvalidField` for a page that cannot be."""
        found = await page(self._documents, place, order, parent=parent, metadata={"run": run} if run else None)
        return [self._decoder.decode(each.body) for each in found.documents], found.has_more

    async def every(self, place: Place, *, parent: str, run: str = "") -> list[T]:
        """All of them, the oldest first."""
        found: list[T] = []
        async for part in parts(self._documents, place, _ALL, parent=parent, metadata={"run": run} if run else None):
            found += (self._decoder.decode(each.body) for each in part.documents)
        return found

    async def newest(self, place: Place, *, parent: str, most: int | None, most_bytes: int) -> list[T]:
        """The newest, `most` of them and with `most_bytes` of JSON, but one at least; the oldest of these first."""
        found: list[T] = []
        size = 0
        async for part in parts(self._documents, place, _SWEPT, parent=parent):
            for each in part.documents:
                size += len(each.body)
                if found and (len(found) == most or size > most_bytes):
                    return found[::-1]
                found.append(self._decoder.decode(each.body))
        return found[::-1]

    async def ids(self, place: Place, *, parent: str, run: str = "") -> Sequence[str]:
        """Those of the newest that hang under it."""
        found = await self._documents.list(place, _SWEPT, parent=parent, metadata={"run": run} if run else None)
        return [each.id for each in found.documents]

    async def sweep(self, place: Place, *, parent: str, run: str = "") -> None:
        """Remove what hangs under it; what is of a run alone, where one is named."""
        while found := await self.ids(place, parent=parent, run=run):
            for each in found:
                await self.drop(place, each)

    async def drop(self, place: Place, id: str) -> None:  # noqa: A002 - what it is
        """Remove it, whatever it hangs under, if it is there."""
        with contextlib.suppress(NotFound):
            await self._documents.delete(place, id)

    async def _found(self, place: Place, id: str, parent: str) -> Document:  # noqa: A002 - what it is
        missing = f"No {self._called} found with id '{shown(id)}'."
        try:
            found = await self._documents.get(place, id)
        except NotFound:
            raise NotFound(missing) from None
        if found.parent != parent:
            raise NotFound(missing)
        return found


class Kept:
    """All of it. `new_id` makes an id that begins with a prefix."""

    def __init__(self, store: DocumentStore, *, new_id: Callable[[str], str], clock: Clock) -> None:
        def documents(kind: str) -> Documents:
            return Documents(store, kind, new_id=lambda: new_id(kind), clock=clock)

        self.assistants = Shelf(documents("assistant"), Assistant, "assistant")
        self.threads = Shelf(documents("thread"), KeptThread, "thread")
        self.messages = Shelf(documents("thread_message"), Message, "message")
        self.runs = Shelf(documents("thread_run"), KeptRun, "run")
        self.steps = Shelf(documents("run_step"), Step, "run step")
        self.new_id = new_id
        self.clock = clock

    @property
    def now(self) -> int:
        """Unix seconds."""
        return int(self.clock.unix())

    async def put(self, place: Place, item: Message | Step) -> None:
        """Keep a message or a step of a run as it is now. What functions gave stays, whoever comes late."""
        if isinstance(item, Message):
            await self.messages.put(place, item.id, item, parent=item.thread_id, run=item.run_id or "")
        else:
            await self.steps.put(place, item.id, item, parent=item.run_id, unless=_is_done)

    async def renew(self, place: Place, item: Message | Step) -> None:
        """The same where it is there; what is gone stays gone."""
        with contextlib.suppress(NotFound):
            if isinstance(item, Message):
                await self.messages.change(place, item.id, lambda _: item, parent=item.thread_id)
            else:
                await self.steps.change(place, item.id, lambda now: now if _is_done(now) else item, parent=item.run_id)

    async def give(self, place: Place, kept: KeptRun) -> Step:
        """End the step whose functions gave what the run has of them; that step. Raises `NotFound`."""
        steps = await self.steps.every(place, parent=kept.run.id)
        step = next((each for each in reversed(steps) if _calls(each) == kept.given.keys()), None)
        if step is None:
            raise NotFound(f"No run step found that calls the functions of the run '{shown(kept.run.id)}'.")

        def give(now: Step) -> Step:
            return with_outputs(now, kept.given, self.now) if now.status == "in_progress" else now

        return await self.steps.change(place, step.id, give, parent=kept.run.id)

    async def clear(self, place: Place, thread: str, run: str) -> None:
        """Remove the messages and steps of a run that is gone."""
        await self.messages.sweep(place, parent=thread, run=run)
        await self.steps.sweep(place, parent=run)


def _is_done(step: Step) -> bool:
    return step.type == "tool_calls" and step.status == "completed"


def _calls(step: Step) -> set[str]:
    return {call["id"] for call in step.step_details.get("tool_calls", ())}
