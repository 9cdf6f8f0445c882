"""What is stored of responses, and how a conversation is found again by the latest of them.

A response is there for whoever may read where it was made: in its resource, and in its project where it has one. Of
two directories (tenants) that are let into the same resource, neither sees what callers of the other one made.
"""

from typing import Any, Final

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.errors import InvalidField, NotFound
from forehearth.dialects.responses.items import Resource
from forehearth.documents.repository import Documents
from forehearth.responses.caller import Caller

DAY: Final = 86_400.0
RETENTION: Final = 30 * DAY
"""Seconds for which a response is kept, as on the service."""
MOST_TURNS: Final = 1_000
"""Responses of one conversation."""
LONGEST: Final = 32 << 20
"""Bytes of all responses of one conversation together, as they are stored."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A response, whole, and the items of its input."""

    response: dict[str, Any]
    input: list[Resource]
    tenant: str = ""
    """The directory of who made it; empty for keys."""


_decoder = msgspec.json.Decoder(Kept)


class KeptResponses:
    """The stored responses. Every method raises `StoreFailed` where the store cannot be asked."""

    def __init__(
        self,
        documents: Documents,
        clock: Clock,
        *,
        retention: float = RETENTION,
        turns: int = MOST_TURNS,
        longest: int = LONGEST,
    ) -> None:
        self._documents = documents
        self._clock = clock
        self._retention = retention
        self._turns = turns
        self._longest = longest

    async def keep(self, caller: Caller, response: dict[str, Any], items: tuple[Resource, ...]) -> None:
        """Store it."""
        kept = Kept(response=response, input=list(items), tenant=caller.principal.tenant)
        expires = self._clock.unix() + self._retention
        await self._documents.create(caller.place, msgspec.json.encode(kept), id=response["id"], expires=expires)

    async def get(self, caller: Caller, id: str) -> Kept:  # noqa: A002 - what it is
        """One of them. Raises `NotFound`."""
        return (await self._get(caller, id))[0]

    async def _get(self, caller: Caller, id: str) -> tuple[Kept, int]:  # noqa: A002 - what it is
        """The same, and how many bytes it takes."""
        document = await self._documents.get(caller.place, id)
        kept = _decoder.decode(document.body)
        if kept.tenant and caller.principal.tenant and kept.tenant != caller.principal.tenant:
            raise NotFound(f"There is no response '{id}'.")
        return kept, len(document.body)

    async def delete(self, caller: Caller, id: str) -> None:  # noqa: A002 - what it is
        """Remove it. Raises `NotFound`."""
        await self.get(caller, id)
        await self._documents.delete(caller.place, id)

    async def conversation(self, caller: Caller, previous: str | None) -> list[Resource]:
        """All items up to and with the response `previous`, the oldest first; none where that is None.

        Raises `InvalidField` where one of the responses is not there (any more).
        """
        turns: list[list[Resource]] = []
        total = 0
        while previous is not None:
            try:
                kept, size = await self._get(caller, previous)
            except NotFound:
                message = f"Previous response with id '{previous[:256]}' not found."
                raise InvalidField(message, param="previous_response_id") from None
            turns.append([*kept.input, *kept.response["output"]])
            total += size
            if len(turns) > self._turns or total > self._longest:
                message = (
                    f"A conversation has at most {self._turns} responses, of {self._longest} bytes: begin a new one."
                )
                raise InvalidField(message, param="previous_response_id")
            previous = kept.response["previous_response_id"]
        return [item for turn in reversed(turns) for item in turn]
