"""Conversations and their items: made, read, added to, removed; all of it within a place.

What adds to a conversation and what reads all of it are `append` and `everything`; a call that continues one needs no
more than those. A conversation that is removed leaves its items: nothing leads to them any more by a path, and their
ids stay taken.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from forehearth.conversations.items import Item, duplicate
from forehearth.core.clock import Clock
from forehearth.core.document import Document
from forehearth.core.errors import Conflict, ForehearthError, InvalidField, NotFound
from forehearth.core.place import Place
from forehearth.dialects.wrong_members import shown
from forehearth.documents.parts import SLICE, page, parts, size
from forehearth.documents.repository import NEWEST, Documents, New, Order
from forehearth.ports.documents import DocumentStore

KIND, ITEM_KIND = "conversation", "conversation_item"
_OLDEST = Order(limit=SLICE, newest_first=False)


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one beside its items."""

    id: str
    created: float
    """Unix seconds."""
    metadata: Mapping[str, str]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the items, in the order that was asked for."""

    items: Sequence[Item]
    has_more: bool


class Conversations:
    """The conversations of every place. `new_id` makes an id that begins with a prefix; items are read with it, too."""

    def __init__(self, store: DocumentStore, *, new_id: Callable[[str], str], clock: Clock) -> None:
        self._conversations = Documents(store, KIND, new_id=lambda: new_id("conv"), clock=clock)
        self._items = Documents(store, ITEM_KIND, new_id=lambda: new_id("item"), clock=clock)
        self.new_id = new_id

    async def create(self, place: Place, metadata: Mapping[str, str], items: Sequence[Item] = ()) -> Conversation:
        """A new one with these items. Raises `InvalidField` where an item's id is taken."""
        conversation = self.new_id("conv")
        # The items first: a conversation that can be found has all of them.
        await self._keep(place, conversation, items)
        return _conversation(await self._conversations.create(place, b"{}", id=conversation, metadata=metadata))

    async def get(self, place: Place, conversation: str) -> Conversation:
        """One of them. Raises `NotFound`."""
        return _conversation(await self._found(place, conversation))

    async def update(self, place: Place, conversation: str, metadata: Mapping[str, str]) -> Conversation:
        """Put other metadata in the place of what it had. Raises `NotFound`."""
        found = await self._found(place, conversation)
        try:
            changed = await self._conversations.update(msgspec.structs.replace(found, metadata=metadata))
        except NotFound:
            raise no_conversation(conversation) from None
        return _conversation(changed)

    async def delete(self, place: Place, conversation: str) -> None:
        """Remove it, but none of its items. Raises `NotFound`."""
        try:
            await self._conversations.delete(place, conversation)
        except NotFound:
            raise no_conversation(conversation) from None

    async def append(self, place: Place, conversation: str, items: Sequence[Item], *, at: str = "items") -> None:
        """Add items at its end, all or none, in their order. `at` is the member of a request that they came in.

        Raises `NotFound`, and `InvalidField` where an item's id is taken.
        """
        await self._found(place, conversation)
        await self._keep(place, conversation, items, at=at)

    async def everything(self, place: Place, conversation: str, *, most_bytes: int) -> list[Item]:
        """All items, the oldest first.

        Raises `NotFound`, `InvalidField` where they have more than so many bytes, and `Conflict` where one was removed
        meanwhile.
        """
        await self._found(place, conversation)
        items: list[Item] = []
        total = 0
        async for part in parts(self._items, place, _OLDEST, parent=conversation):
            items += (_item(each) for each in part.documents)
            total += size(part.documents)
            if total > most_bytes:
                raise InvalidField(
                    f"The items of conversation '{shown(conversation)}' have more than {most_bytes} bytes: "
                    "delete some of them, or begin a new conversation.",
                    param="conversation",
                )
        return items

    async def page(self, place: Place, conversation: str, order: Order = NEWEST) -> Page:
        """Some of its items: as many as asked for, unless they are large, or fewer are there.

        Raises `NotFound`, `InvalidField` for a page that cannot be, and `Conflict` where an item was removed meanwhile.
        """
        await self._found(place, conversation)
        if order.after is not None:
            await self._require_cursor(place, conversation, order.after)
        found = await page(self._items, place, order, parent=conversation)
        return Page(items=[_item(each) for each in found.documents], has_more=found.has_more)

    async def item(self, place: Place, conversation: str, item: str) -> Item:
        """One of its items. Raises `NotFound`."""
        await self._found(place, conversation)
        return _item(await self._found_item(place, conversation, item))

    async def delete_item(self, place: Place, conversation: str, item: str) -> Conversation:
        """Remove one of its items; the conversation. Raises `NotFound`."""
        found = await self._found(place, conversation)
        await self._found_item(place, conversation, item)
        try:
            await self._items.delete(place, item)
        except NotFound:
            raise no_item(item) from None
        return _conversation(found)

    async def _keep(self, place: Place, conversation: str, items: Sequence[Item], *, at: str = "items") -> None:
        try:
            await self._items.create_many(
                place, [New(id=each.id, body=each.body) for each in items], parent=conversation
            )
        except Conflict:
            raise await self._taken(place, items, at) from None

    async def _taken(self, place: Place, items: Sequence[Item], at: str) -> ForehearthError:
        """The refusal that names the id that is taken; it may be free again by now."""
        for each in items:
            try:
                await self._items.get(place, each.id)
            except NotFound:
                continue
            return duplicate(each.id, at)
        return InvalidField("An item's id was taken just now: try again.", param=at)

    async def _found(self, place: Place, conversation: str) -> Document:
        try:
            return await self._conversations.get(place, conversation)
        except NotFound:
            raise no_conversation(conversation) from None

    async def _found_item(self, place: Place, conversation: str, item: str) -> Document:
        try:
            found = await self._items.get(place, item)
        except NotFound:
            raise no_item(item) from None
        if found.parent != conversation:
            raise no_item(item)
        return found

    async def _require_cursor(self, place: Place, conversation: str, after: str) -> None:
        try:
            await self._found_item(place, conversation, after)
        except NotFound as error:
            raise InvalidField(f"Invalid 'after': {error.message}", param="after") from None


def no_conversation(conversation: str) -> NotFound:
    """In the service's words."""
    return NotFound(f"Conversation with id '{shown(conversation)}' not found.")


def no_item(item: str) -> NotFound:
    """In the service's words."""
    return NotFound(f"Item with id '{shown(item)}' not found in conversation.")


def _conversation(document: Document) -> Conversation:
    return Conversation(id=document.id, created=document.created, metadata=document.metadata)


def _item(document: Document) -> Item:
    return Item(id=document.id, body=document.body)
