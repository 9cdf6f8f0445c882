"""Stored chat completions below OpenAI v1: what was answered to calls with `store: true`.

Source: `/chat/completions` in OpenAI's specification, whose lists begin with the oldest.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from forehearth.core.errors import InvalidField
from forehearth.core.exchange import Reply
from forehearth.core.permission import Permission
from forehearth.dialects.wrong_members import missing_member, shown
from forehearth.documents.metadata import read_metadata
from forehearth.ports.surface import Entry
from forehearth.stored_completions.service import StoredCompletions, answer, messages
from forehearth.wire import lists
from forehearth.wire.envelope import JSON
from forehearth.wire.read_body import read_body
from forehearth.wire.table import Row

_KEY, _END = "metadata[", "]"


class _Change(msgspec.Struct, forbid_unknown_fields=True):
    metadata: Any = msgspec.UNSET


class _Acts:
    """What is done at each of the paths."""

    def __init__(self, stored: StoredCompletions) -> None:
        self._stored = stored

    async def list(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """A page of them."""
        asked = lists.query(entry.head)
        order = lists.order(asked, newest_first=False)
        model = asked["model"][-1] if asked.get("model") else None
        found = await self._stored.list(entry.place, order, model=model, metadata=_wanted(asked))
        return lists.shown_list(
            [answer(each) for each in found.documents],
            first_id=found.first_id or "",
            last_id=found.last_id or "",
            has_more=found.has_more,
        )

    async def get(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """One of them."""
        (completion,) = entry.asked.ids
        return _json(answer(await self._stored.get(entry.place, completion)))

    async def update(self, entry: Entry, body: bytes) -> Reply:
        """Other metadata."""
        (completion,) = entry.asked.ids
        metadata = read_body(body, _Change).metadata
        if metadata is msgspec.UNSET:
            raise missing_member("metadata")
        return _json(answer(await self._stored.update(entry.place, completion, read_metadata(metadata))))

    async def delete(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """Away with it."""
        (completion,) = entry.asked.ids
        await self._stored.delete(entry.place, completion)
        return _json(msgspec.json.encode({"object": "chat.completion.deleted", "id": completion, "deleted": True}))

    async def messages(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """The messages that it answers."""
        (completion,) = entry.asked.ids
        order = lists.order(lists.query(entry.head), newest_first=False)
        said = messages(await self._stored.get(entry.place, completion))
        said = said[::-1] if order.newest_first else said
        names = [each["id"] for each in said]
        if order.after is not None and order.after not in names:
            raise InvalidField(
                f"Invalid 'after': no message of this completion has the id '{shown(order.after)}'.", param="after"
            )
        begin = 0 if order.after is None else names.index(order.after) + 1
        page = said[begin : begin + order.limit]
        return lists.shown_list(
            [msgspec.json.encode(each) for each in page],
            first_id=page[0]["id"] if page else "",
            last_id=page[-1]["id"] if page else "",
            has_more=begin + order.limit < len(said),
        )


def rows(stored: StoredCompletions) -> Sequence[Row]:
    """The family's endpoints."""
    acts = _Acts(stored)
    read, change = Permission.READ_STORED, Permission.CHANGE_STORED
    every, one = "/chat/completions", "/chat/completions/{id}"
    table = (
        ("GET", every, read, "stored_completions_list", acts.list),
        ("GET", one, read, "stored_completions_get", acts.get),
        ("POST", one, change, "stored_completions_update", acts.update),
        ("DELETE", one, change, "stored_completions_delete", acts.delete),
        ("GET", f"{one}/messages", read, "stored_completions_messages", acts.messages),
    )
    return [
        Row(method=method, form=form, permission=permission, name=name, act=act)
        for method, form, permission, name, act in table
    ]


def _wanted(asked: Mapping[str, Sequence[str]]) -> Mapping[str, str]:
    """The pairs of `metadata[key]=value`."""
    pairs = {name: values[-1] for name, values in asked.items() if name.startswith(_KEY) and name.endswith(_END)}
    return read_metadata({name[len(_KEY) : -len(_END)]: value for name, value in pairs.items()})


def _json(body: bytes) -> Reply:
    return Reply(status=200, headers=[JSON], body=body)
