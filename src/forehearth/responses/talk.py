"""A response within a conversation: what was said in it comes before, and what is said now is added to it."""

from typing import Any, Final

import msgspec

from forehearth.conversations.items import Item, read_items
from forehearth.conversations.service import Conversations
from forehearth.core.errors import InvalidField, NotFound
from forehearth.core.place import Place
from forehearth.dialects.responses import items
from forehearth.dialects.responses import loose as loosely
from forehearth.dialects.responses.items import NewId, Resource
from forehearth.responses.caller import Caller
from forehearth.responses.kept import whole_items

LONGEST: Final = 32 << 20
"""Bytes of a conversation that a model is shown."""
_ENDED: Final = frozenset({"completed", "incomplete"})
"""Responses that are added to their conversation; of others nobody saw the end."""


class Talks:
    """The conversations, as far as responses have to do with them."""

    def __init__(self, conversations: Conversations, new_id: NewId) -> None:
        self._conversations = conversations
        self._new_id = new_id

    async def before(self, caller: Caller, conversation: str, *, loose: bool = False) -> list[Resource]:
        """All that was said in it; `loose`, for a host that has this API, whatever it is.

        Raises `NotFound`, `InvalidField` where it is too long, and `NotSupported` for items that no model can be shown.
        """
        found = await self._conversations.everything(caller.place, conversation, most_bytes=LONGEST)
        given = [msgspec.json.decode(item.body) for item in found]
        read = loosely.read_items if loose else items.read
        return list(read(given, self._new_id, "conversation"))

    async def add(
        self,
        caller: Caller,
        conversation: str,
        said: tuple[Resource, ...],
        response: dict[str, Any],
        *,
        renames: bool = False,
    ) -> None:
        """Add what was said, and the answer to it; with `renames` under new ids where those of a host are taken.

        Raises `NotFound` where the conversation is gone, and `InvalidField` where an item's id is taken.
        """
        if response["status"] not in _ENDED:
            return
        # A call that was cut can be neither answered nor left unanswered.
        output = [
            each
            for each in whole_items(response["output"])
            if each["type"] != "function_call" or each.get("status", "completed") == "completed"
        ]
        new = self.new(said)
        try:
            added = [*new, *self.new(tuple(output), "output")]
            await self._conversations.append(caller.place, conversation, added, at="input")
        except InvalidField:
            if not renames:
                raise
            renamed = tuple({name: value for name, value in each.items() if name != "id"} for each in output)
            added = [*new, *self.new(renamed, "output")]
            await self._conversations.append(caller.place, conversation, added, at="input")

    async def added(self, place: Place, conversation: str, response: dict[str, Any]) -> bool:
        """Whether the answer was added before: by a worker that died before it could say so. Raises `NotFound`."""
        for item in response["output"]:
            try:
                await self._conversations.item(place, conversation, item["id"])
            except NotFound:
                continue
            return True
        return False

    def new(self, said: tuple[Resource, ...], at: str = "input") -> list[Item]:
        """The items as a conversation keeps them. Raises `InvalidField`."""
        return read_items(said, self._new_id, at=at, most=None)
