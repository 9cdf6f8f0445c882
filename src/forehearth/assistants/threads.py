"""Threads and their messages."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from forehearth.assistants.kept import Kept, KeptThread
from forehearth.core.errors import NotFound
from forehearth.core.place import Place
from forehearth.dialects.assistants import asked, tools
from forehearth.dialects.assistants.asked import NewMessage, ThreadBody, ThreadChange
from forehearth.dialects.assistants.objects import Message, Thread
from forehearth.documents.metadata import read_metadata
from forehearth.documents.repository import Order


class Threads:
    """The threads of every place."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    async def create(self, place: Place, body: ThreadBody) -> Thread:
        """A new one with its messages. Raises the `Refused` that fits."""
        kept = self._kept
        messages = asked.read_messages(body.messages, "messages", read_metadata)
        resources = tools.read_resources(body.tool_resources)
        metadata = read_metadata(body.metadata)
        thread = Thread(id=kept.new_id("thread"), created_at=kept.now, tool_resources=resources, metadata=metadata)
        # The messages first: a thread that can be found has all of them.
        await self._put(place, thread.id, messages)
        await kept.threads.create(place, thread.id, KeptThread(thread=thread))
        return thread

    async def update(self, place: Place, thread: str, body: ThreadChange) -> Thread:
        """Change what is sent of it. Raises the `Refused` that fits."""
        members: dict[str, Any] = {}
        if body.tool_resources is not msgspec.UNSET:
            members["tool_resources"] = tools.read_resources(body.tool_resources)
        if body.metadata is not msgspec.UNSET:
            members["metadata"] = read_metadata(body.metadata)

        def change(kept: KeptThread) -> KeptThread:
            return msgspec.structs.replace(kept, thread=msgspec.structs.replace(kept.thread, **members))

        return (await self._kept.threads.change(place, thread, change)).thread

    async def page(self, place: Place, order: Order) -> tuple[list[Thread], bool]:
        """Some of them, and whether there are more. Raises `InvalidField` for a page that cannot be."""
        found, has_more = await self._kept.threads.page(place, order)
        return [each.thread for each in found], has_more

    async def get(self, place: Place, thread: str) -> Thread:
        """One of them. Raises `NotFound`."""
        return (await self._kept.threads.get(place, thread)).thread

    async def remove(self, place: Place, thread: str) -> None:
        """Remove it with its messages, runs and steps. What is cut short can be done again. Raises `NotFound`."""
        kept = self._kept
        await kept.threads.get(place, thread)
        while runs := await kept.runs.ids(place, parent=thread):
            for run in runs:
                await kept.steps.sweep(place, parent=run)
                await kept.runs.drop(place, run)
                # A worker that wrote one meanwhile may have seen the run there still, and so have left it.
                await kept.steps.sweep(place, parent=run)
        await kept.messages.sweep(place, parent=thread)
        await kept.threads.delete(place, thread)
        # Whoever added one meanwhile may have seen the thread there still.
        await kept.messages.sweep(place, parent=thread)

    async def say(self, place: Place, thread: str, messages: Sequence[NewMessage]) -> list[Message]:
        """Add messages at a thread's end, all or none. Raises `NotFound`, also where it is removed meanwhile."""
        made = await self._put(place, thread, messages)
        try:
            await self._kept.threads.get(place, thread)
        except NotFound:
            await self._kept.messages.sweep(place, parent=thread)
            raise
        return made

    async def _put(self, place: Place, thread: str, messages: Sequence[NewMessage]) -> list[Message]:
        kept = self._kept
        now = kept.now
        made = [
            Message(
                id=kept.new_id("msg"),
                created_at=now,
                thread_id=thread,
                completed_at=now,
                role=each.role,
                content=each.content,
                metadata=each.metadata,
            )
            for each in messages
        ]
        if made:
            await kept.messages.create_many(place, {each.id: each for each in made}, parent=thread)
        return made

    async def messages(self, place: Place, thread: str, order: Order, run: str = "") -> tuple[list[Message], bool]:
        """Some of its messages, those of a run alone where it is named, and whether there are more.

        Raises `NotFound`, and `InvalidField` for a page that cannot be.
        """
        await self._kept.threads.get(place, thread)
        return await self._kept.messages.page(place, order, parent=thread, run=run)

    async def message(self, place: Place, thread: str, message: str) -> Message:
        """One message. Raises `NotFound`."""
        await self._kept.threads.get(place, thread)
        return await self._kept.messages.get(place, message, parent=thread)

    async def update_message(self, place: Place, thread: str, message: str, metadata: Mapping[str, str]) -> Message:
        """Put other metadata in the place of what a message had. Raises `NotFound`."""
        await self._kept.threads.get(place, thread)

        def change(found: Message) -> Message:
            return msgspec.structs.replace(found, metadata=metadata)

        return await self._kept.messages.change(place, message, change, parent=thread)

    async def remove_message(self, place: Place, thread: str, message: str) -> None:
        """Remove a message. Raises `NotFound`."""
        await self._kept.threads.get(place, thread)
        await self._kept.messages.delete(place, message, parent=thread)
