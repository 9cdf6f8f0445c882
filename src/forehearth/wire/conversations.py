"""Conversations below OpenAI v1: their paths, bodies and answers.

Source: `/conversations` in OpenAI's specification. `include` is checked and decides nothing: what was kept of an item
is always shown.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from forehearth.conversations.items import Given, Item, read_items
from forehearth.conversations.service import Conversation, Conversations
from forehearth.core.exchange import Reply
from forehearth.core.permission import Permission
from forehearth.dialects.responses.asked import INCLUDES
from forehearth.dialects.wrong_members import missing_member
from forehearth.documents.metadata import read_metadata
from forehearth.ports.surface import Entry
from forehearth.wire import lists
from forehearth.wire.envelope import JSON, as_json
from forehearth.wire.read_body import read_body
from forehearth.wire.table import Row


class _New(msgspec.Struct, forbid_unknown_fields=True):
    metadata: Any = None
    items: list[Given] | None = None


class _Change(msgspec.Struct, forbid_unknown_fields=True):
    metadata: Any = msgspec.UNSET


class _Addition(msgspec.Struct, forbid_unknown_fields=True):
    items: list[Given]


class _Acts:
    """What is done at each of the paths."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    async def create(self, entry: Entry, body: bytes) -> Reply:
        """A new conversation."""
        asked = read_body(body or b"{}", _New)
        metadata, items = read_metadata(asked.metadata), self._items(asked.items or ())
        return _shown(await self._conversations.create(entry.place, metadata, items))

    async def get(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """One of them."""
        (conversation,) = entry.asked.ids
        return _shown(await self._conversations.get(entry.place, conversation))

    async def update(self, entry: Entry, body: bytes) -> Reply:
        """Other metadata."""
        (conversation,) = entry.asked.ids
        metadata = read_body(body, _Change).metadata
        if metadata is msgspec.UNSET:
            raise missing_member("metadata")
        return _shown(await self._conversations.update(entry.place, conversation, read_metadata(metadata)))

    async def delete(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """Away with it."""
        (conversation,) = entry.asked.ids
        await self._conversations.delete(entry.place, conversation)
        return as_json({"id": conversation, "object": "conversation.deleted", "deleted": True})

    async def add(self, entry: Entry, body: bytes) -> Reply:
        """Items at its end, which are the answer."""
        (conversation,) = entry.asked.ids
        lists.require_includable(entry.head, INCLUDES)
        items = self._items(read_body(body, _Addition).items)
        await self._conversations.append(entry.place, conversation, items)
        return _listed(items, has_more=False)

    async def items(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """A page of its items."""
        (conversation,) = entry.asked.ids
        lists.require_includable(entry.head, INCLUDES)
        page = await self._conversations.page(entry.place, conversation, lists.order(lists.query(entry.head)))
        return _listed(page.items, has_more=page.has_more)

    async def item(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """One of its items."""
        conversation, item = entry.asked.ids
        lists.require_includable(entry.head, INCLUDES)
        found = await self._conversations.item(entry.place, conversation, item)
        return Reply(status=200, headers=[JSON], body=found.body)

    async def delete_item(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """Away with an item; the conversation is the answer."""
        conversation, item = entry.asked.ids
        return _shown(await self._conversations.delete_item(entry.place, conversation, item))

    def _items(self, given: Sequence[Given]) -> list[Item]:
        return read_items(given, self._conversations.new_id)


def rows(conversations: Conversations) -> Sequence[Row]:
    """The family's endpoints."""
    acts = _Acts(conversations)
    read, write, delete = Permission.READ_RESPONSES, Permission.WRITE_RESPONSES, Permission.DELETE_RESPONSES
    of_one, of_items, of_item = "/conversations/{id}", "/conversations/{id}/items", "/conversations/{id}/items/{item}"
    table = (
        ("POST", "/conversations", write, "conversations_create", acts.create),
        ("GET", of_one, read, "conversations_get", acts.get),
        ("POST", of_one, write, "conversations_update", acts.update),
        ("DELETE", of_one, delete, "conversations_delete", acts.delete),
        ("POST", of_items, write, "conversation_items_create", acts.add),
        ("GET", of_items, read, "conversation_items_list", acts.items),
        ("GET", of_item, read, "conversation_items_get", acts.item),
        ("DELETE", of_item, delete, "conversation_items_delete", acts.delete_item),
    )
    return [
        Row(method=method, form=form, permission=permission, name=name, act=act)
        for method, form, permission, name, act in table
    ]


def _listed(items: Sequence[Item], *, has_more: bool) -> Reply:
    # The specification has no null here: of an empty page the ids are empty.
    first, last = (items[0].id, items[-1].id) if items else ("", "")
    return lists.shown_list([each.body for each in items], first_id=first, last_id=last, has_more=has_more)


def _shown(conversation: Conversation) -> Reply:
    return as_json(
        {
            "id": conversation.id,
            "object": "conversation",
            "created_at": int(conversation.created),
            "metadata": conversation.metadata,
        }
    )
