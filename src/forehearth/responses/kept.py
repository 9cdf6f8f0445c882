"""What is stored of responses, and how a conversation is found again by the latest of them.

A response is there for whoever may read where it was made: in its resource, and in its project where it has one. Of
two directories (tenants) that are let into the same resource, neither sees what callers of the other one made.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.errors import InvalidField, NotFound, PreconditionFailed
from forehearth.core.place import Place
from forehearth.core.sealed import Sealed
from forehearth.dialects.responses.agents import Reference
from forehearth.dialects.responses.asked import Question
from forehearth.dialects.responses.items import Resource
from forehearth.documents.repository import Documents
from forehearth.ports.sealer import Sealer
from forehearth.responses.caller import Caller
from forehearth.responses.marks import Times

DAY: Final = 86_400.0
RETENTION: Final = 30 * DAY
"""Seconds for which a response is kept, as on the service."""
MOST_TURNS: Final = 1_000
"""Responses of one conversation."""
LONGEST: Final = 32 << 20
"""Bytes of all responses of one conversation together, as they are stored."""


UNENDED: Final = frozenset({"queued", "in_progress"})
"""What a response can be that something becomes of yet."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A response, whole, and the items of its input."""

    response: dict[str, Any]
    input: list[Resource]
    tenant: str = ""
    """The directory of who made it; empty for keys."""
    asked: dict[str, Any] | None = None
    """The members of its question, where it is made in the background; None where it is not."""
    agent: Reference | None = None
    """The version of an agent that gave some of these members."""
    request: str = ""
    """The id of the request that asked for it."""
    arrived: float = 0.0
    """When that did, in Unix seconds; 0 where nobody noted that yet."""
    times: Times = {}
    """When its items were made, where nobody else notes that."""
    sealed: Sealed | None = None
    """Its tools, where credentials are among them."""

    @property
    def ended(self) -> bool:
        """Whether nothing becomes of it any more."""
        return self.response["status"] not in UNENDED


_decoder = msgspec.json.Decoder(Kept)


class KeptResponses:
    """The stored responses. Every method raises `StoreFailed` where the store cannot be asked."""

    def __init__(
        self,
        documents: Documents,
        clock: Clock,
        sealer: Sealer,
        *,
        retention: float = RETENTION,
        turns: int = MOST_TURNS,
        longest: int = LONGEST,
    ) -> None:
        self._documents = documents
        self._clock = clock
        self._sealer = sealer
        self._retention = retention
        self._turns = turns
        self._longest = longest

    async def keep(
        self, caller: Caller, response: dict[str, Any], items: tuple[Resource, ...], times: Times | None = None
    ) -> None:
        """Store it."""
        kept = Kept(
            response=response,
            input=list(items),
            tenant=caller.principal.tenant,
            request=caller.request_id,
            arrived=self._clock.unix() - (self._clock.monotonic() - caller.started),
            times=times or {},
        )
        await self._create(caller, kept)

    async def begin(
        self, caller: Caller, response: dict[str, Any], items: tuple[Resource, ...], asked: Question
    ) -> None:
        """Store one that is to be made in the background, with its question; what opens its tools is sealed."""
        members, sealed = dict(asked.members), None
        if any(not isinstance(tool, dict) or tool.get("type") != "function" for tool in members.get("tools") or ()):
            sealed = self._sealer.seal(msgspec.json.encode(members.pop("tools")), _context(response))
        kept = Kept(
            response=response,
            input=list(items),
            tenant=caller.principal.tenant,
            asked=members,
            agent=asked.agent,
            request=caller.request_id,
            sealed=sealed,
        )
        await self._create(caller, kept)

    def asked(self, kept: Kept) -> dict[str, Any]:
        """The members of its question. Raises `Unsealable` where its tools were sealed by another installation."""
        members = dict(kept.asked or {})
        if kept.sealed is not None:
            members["tools"] = msgspec.json.decode(self._sealer.open(kept.sealed, _context(kept.response)))
        return members

    async def end(self, place: Place, response: dict[str, Any]) -> None:
        """Store what became of one in the background. One that has an end already keeps it.

        Raises `NotFound` where it was removed meanwhile.
        """
        while True:
            document = await self._documents.get(place, response["id"])
            kept = _decoder.decode(document.body)
            if kept.ended:
                return
            changed = msgspec.json.encode(msgspec.structs.replace(kept, response=response, asked=None, sealed=None))
            try:
                await self._documents.update(msgspec.structs.replace(document, body=changed), etag=document.etag)
            except PreconditionFailed:
                continue
            return

    async def at(self, place: Place, id: str) -> Kept:  # noqa: A002 - what it is
        """One of them, for the server itself. Raises `NotFound`."""
        return _decoder.decode((await self._documents.get(place, id)).body)

    async def _create(self, caller: Caller, kept: Kept) -> None:
        response = kept.response
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
            if not kept.ended:
                message = f"The previous response '{previous[:256]}' is not completed yet: wait for it."
                raise InvalidField(message, param="previous_response_id")
            turns.append([*kept.input, *whole_items(kept.response["output"])])
            total += size
            if len(turns) > self._turns or total > self._longest:
                message = (
                    f"A conversation has at most {self._turns} responses, of {self._longest} bytes: begin a new one."
                )
                raise InvalidField(message, param="previous_response_id")
            previous = kept.response["previous_response_id"]
        return [item for turn in reversed(turns) for item in turn]


def _context(response: Mapping[str, Any]) -> bytes:
    return f"tools of {response['id']}".encode()


def whole_items(output: Sequence[Resource]) -> list[Resource]:
    """What a model is shown of an output: not what a worker left unfinished that died, and others came behind."""
    last = len(output) - 1
    return [item for index, item in enumerate(output) if index == last or item.get("status") != "incomplete"]
