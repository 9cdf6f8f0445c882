"""Agents of a project: made and changed by writing versions, which are never changed themselves.

An agent exists as long as it has a version: its document has the latest one in it, and appears and goes at once. Its
other versions hang under an id of its own, not under its name, so that none comes back with a later agent of that name.
Whatever is written by two at the same time is written one after the other, by the etag of the agent's document.
"""

import contextlib
import re
from collections.abc import Callable

import msgspec

from forehearth.agents import definition
from forehearth.agents.records import AgentRecord, NewVersion, VersionRecord, encoded
from forehearth.core.agent import AgentVersion
from forehearth.core.clock import Clock
from forehearth.core.document import Document
from forehearth.core.errors import Conflict, NotFound, PreconditionFailed
from forehearth.core.place import Place
from forehearth.documents.repository import NEWEST, Documents, Order
from forehearth.ports.documents import DocumentStore

_TRIES = 50
_SWEEP = Order(limit=100)
_LATEST_TWO = Order(limit=2)
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """An agent as it is now."""

    name: str
    record: AgentRecord


class AgentPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of agents."""

    agents: tuple[Agent, ...]
    has_more: bool


class VersionPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of an agent's versions."""

    agent: Agent
    versions: tuple[VersionRecord, ...]
    has_more: bool


class Agents:
    """A `ports.agents.AgentResolver` and `AgentIdentifier`, and all that is done with agents."""

    def __init__(self, store: DocumentStore, *, clock: Clock, new_id: Callable[[], str]) -> None:
        """`new_id` makes ids that are never made twice, in any process."""
        self._agents = Documents(store, "agent", new_id=new_id, clock=clock)
        self._versions = Documents(store, "agent_version", new_id=new_id, clock=clock)
        self._new_id = new_id
        self._clock = clock

    async def create(self, place: Place, name: str, new: NewVersion) -> Agent:
        """Make an agent with its first version. Raises `Conflict` where there is one of that name."""
        record = self._version(1, new)
        made = Agent(name=name, record=AgentRecord(guid=self._new_id(), latest=record, last_number=1))
        kept = await self._keep(place, made.record.guid, record)
        try:
            await self._agents.create(place, encoded(made.record), id=name)
        except Conflict:
            await self._drop(kept)
            raise Conflict(
                f"There is an agent '{name}' already: POST /agents/{name}/versions makes a version of it.", param="name"
            ) from None
        return made

    async def create_version(self, place: Place, name: str, new: NewVersion) -> tuple[Agent, VersionRecord]:
        """Write a version, of a new agent where there is none of that name. What the latest one says is that one.

        Raises `Conflict` while others write too many.
        """
        for _ in range(_TRIES):
            try:
                return await self.update(place, name, new)
            except NotFound:
                pass
            try:
                made = await self.create(place, name, new)
            except Conflict:
                continue
            return made, made.record.latest
        raise _busy(name)

    async def update(self, place: Place, name: str, new: NewVersion) -> tuple[Agent, VersionRecord]:
        """The same, of an agent that there is. Raises `NotFound`, and `Conflict` while others write too many."""
        for _ in range(_TRIES):
            document, agent = await self._read(place, name)
            if agent.record.latest.says(new):
                return agent, agent.record.latest
            kept, record = await self._keep_next(place, agent.record, new)
            changed = await self._publish(document, agent, record)
            if changed is not None:
                return changed, record
            await self._drop(kept)
        raise _busy(name)

    async def get(self, place: Place, name: str) -> Agent:
        """The agent. Raises `NotFound`."""
        return (await self._read(place, name))[1]

    async def get_version(self, place: Place, name: str, version: str) -> tuple[Agent, VersionRecord]:
        """One version of it. Raises `NotFound`."""
        _, agent = await self._read(place, name)
        return agent, VersionRecord.of(await self._read_version(place, agent, version))

    async def page(self, place: Place, order: Order = NEWEST) -> AgentPage:
        """One page of the project's agents. Raises `InvalidField` for a page that cannot be."""
        found = await self._agents.list(place, order)
        agents = tuple(Agent(name=each.id, record=AgentRecord.of(each)) for each in found.documents)
        return AgentPage(agents=agents, has_more=found.has_more)

    async def versions(self, place: Place, name: str, order: Order = NEWEST) -> VersionPage:
        """One page of an agent's versions; `after` and `before` are ids, `name:version`.

        Raises `NotFound`, and `InvalidField` for a page that cannot be.
        """
        _, agent = await self._read(place, name)
        within = msgspec.structs.replace(order, after=_cursor(agent, order.after), before=_cursor(agent, order.before))
        found = await self._versions.list(place, within, parent=agent.record.guid)
        versions = tuple(map(VersionRecord.of, found.documents))
        return VersionPage(agent=agent, versions=versions, has_more=found.has_more)

    async def enable(self, place: Place, name: str, *, enabled: bool) -> None:
        """Let it be used, or not. Raises `NotFound`."""
        for _ in range(_TRIES):
            document, agent = await self._read(place, name)
            if agent.record.enabled is enabled:
                return
            if await self._write(document, msgspec.structs.replace(agent.record, enabled=enabled)):
                return
        raise _busy(name)

    async def delete(self, place: Place, name: str) -> None:
        """Remove it with all its versions. Raises `NotFound`."""
        for _ in range(_TRIES):
            document, agent = await self._read(place, name)
            if await self._remove(document):
                await self._sweep(place, agent.record.guid)
                return
        raise _busy(name)

    async def delete_version(self, place: Place, name: str, version: str) -> None:
        """Remove one version; with its last one the agent goes. Raises `NotFound`."""
        for _ in range(_TRIES):
            document, agent = await self._read(place, name)
            going = await self._read_version(place, agent, version)
            if VersionRecord.of(going).number != agent.record.latest.number:
                return await self._drop(going)
            newest = await self._versions.list(place, _LATEST_TWO, parent=agent.record.guid)
            left = [VersionRecord.of(each) for each in newest.documents if each.id != going.id]
            if not left:
                gone = await self._remove(document)
            else:
                gone = await self._write(document, msgspec.structs.replace(agent.record, latest=left[0]))
            if gone:
                return await self._drop(going)
        raise _busy(name)

    async def resolve(self, place: Place, name: str, version: str | None = None) -> AgentVersion:
        """See `ports.agents`."""
        project = Place(resource=place.resource, project=place.project)
        if version is None:
            agent = await self.get(project, name)
            found = agent.record.latest
        else:
            agent, found = await self.get_version(project, name, version)
        if not agent.record.enabled:
            raise Conflict(f"The agent '{name}' is disabled: POST /agents/{name}:enable enables it.")
        return AgentVersion(
            name=name,
            version=str(found.number),
            created=found.created,
            description=found.description,
            metadata=found.metadata,
            definition=definition.as_stored(bytes(found.definition)),
        )

    async def identify(self, place: Place, name: str) -> str:
        """See `ports.agents`."""
        return (await self.get(place, name)).record.guid

    def _version(self, number: int, new: NewVersion) -> VersionRecord:
        return VersionRecord(
            number=number,
            created=int(self._clock.unix()),
            definition=new.definition,
            description=new.description,
            metadata=new.metadata,
        )

    async def _read(self, place: Place, name: str) -> tuple[Document, Agent]:
        document = await self._agents.get(place, name)
        return document, Agent(name=name, record=AgentRecord.of(document))

    async def _read_version(self, place: Place, agent: Agent, version: str) -> Document:
        if _NUMBER.fullmatch(version):
            with contextlib.suppress(NotFound):  # said below, in the caller's words
                return await self._versions.get(place, _version_id(agent.record.guid, int(version)))
        raise NotFound(f"There is no version '{version}' of the agent '{agent.name}'.")

    async def _keep(self, place: Place, guid: str, record: VersionRecord) -> Document:
        return await self._versions.create(place, encoded(record), id=_version_id(guid, record.number), parent=guid)

    async def _keep_next(self, place: Place, agent: AgentRecord, new: NewVersion) -> tuple[Document, VersionRecord]:
        """Keep it under the next number; where somebody else has that at the same time, under the one after."""
        number = agent.last_number
        while True:
            number += 1
            record = self._version(number, new)
            try:
                return await self._keep(place, agent.guid, record), record
            except Conflict:
                if number - agent.last_number > _TRIES:
                    raise

    async def _publish(self, document: Document, agent: Agent, record: VersionRecord) -> Agent | None:
        """Make it the latest one; the agent as it is then, and None where that agent is gone."""
        guid = agent.record.guid
        for _ in range(_TRIES):
            changed = msgspec.structs.replace(agent.record, latest=record, last_number=record.number)
            if await self._write(document, changed):
                return Agent(name=agent.name, record=changed)
            try:
                document, agent = await self._read(document.place, document.id)
            except NotFound:
                return None
            if agent.record.guid != guid:
                return None
            if agent.record.last_number >= record.number:
                return agent  # a later one was published meanwhile
        raise _busy(agent.name)

    async def _write(self, document: Document, record: AgentRecord) -> bool:
        """Whether it was written: not where somebody else did so since it was read."""
        try:
            await self._agents.update(msgspec.structs.replace(document, body=encoded(record)), etag=document.etag)
        except (PreconditionFailed, NotFound):
            return False
        return True

    async def _remove(self, document: Document) -> bool:
        try:
            await self._agents.delete(document.place, document.id, etag=document.etag)
        except (PreconditionFailed, NotFound):
            return False
        return True

    async def _drop(self, document: Document) -> None:
        with contextlib.suppress(NotFound):  # somebody else may have been there first
            await self._versions.delete(document.place, document.id)

    async def _sweep(self, place: Place, guid: str) -> None:
        """Remove what hung under an agent that is gone: nobody can reach it any more."""
        while True:
            found = await self._versions.list(place, _SWEEP, parent=guid)
            for each in found.documents:
                await self._drop(each)
            if not found.has_more:
                return


def _version_id(guid: str, number: int) -> str:
    return f"{guid}:{number}"


def _cursor(agent: Agent, cursor: str | None) -> str | None:
    """What a caller calls `name:version` is kept under the agent's own id; anything else is no version's id."""
    if cursor is None:
        return None
    name, _, number = cursor.rpartition(":")
    return f"{agent.record.guid}:{number if name == agent.name else ''}"


def _busy(name: str) -> Conflict:
    return Conflict(f"The agent '{name}' is being changed by others: try again.")
