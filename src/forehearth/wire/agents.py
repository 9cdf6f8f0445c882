"""Agents below a project: `/agents` and `/agents/{name}/versions`.

Source of shapes, statuses and paging: the operations of `azure-ai-projects` 2.10.0; of `POST /agents` and
`POST /agents/{name}`: the service's older clients. The limits of metadata are those that its models document.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from forehearth.agents import definition
from forehearth.agents.records import NewVersion, VersionRecord
from forehearth.agents.service import Agent, Agents
from forehearth.core.errors import InvalidField, NotServedYet, NotSupported
from forehearth.core.exchange import Head, Reply
from forehearth.core.misfit import UNREADABLE, unread
from forehearth.core.permission import Permission
from forehearth.documents.repository import MOST, Order
from forehearth.ports.surface import Act, Entry
from forehearth.wire import paths
from forehearth.wire.envelope import JSON, as_json
from forehearth.wire.table import Row

_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")
_LONGEST_DESCRIPTION = 512
_MOST_PAIRS, _LONGEST_KEY, _LONGEST_VALUE = 16, 64, 512
_REST = ("blueprint_reference", "digital_worker_type")
_LIMIT = 20
_MULTIPART = b"multipart/form-data"


class _Body(msgspec.Struct, kw_only=True):
    definition: msgspec.Raw
    description: str | None = None
    metadata: dict[str, str] | None = None
    draft: bool | None = None
    blueprint_reference: object = None
    digital_worker_type: object = None


class _Named(_Body, kw_only=True):
    name: str


_T = TypeVar("_T", bound=_Body)


def rows(agents: Agents) -> Sequence[Row]:
    """The endpoints."""
    served = _Served(agents)
    read, write, delete = Permission.READ_AGENTS, Permission.WRITE_AGENTS, Permission.DELETE_AGENTS
    agent, versions = "/agents/{agent_name}", "/agents/{agent_name}/versions"
    return (
        _row("GET", "/agents", read, "agents_list", served.list),
        _row("POST", "/agents", write, "agents_create", served.create),
        _row("GET", agent, read, "agents_get", served.get),
        _row("POST", agent, write, "agents_update", served.update),
        _row("DELETE", agent, delete, "agents_delete", served.delete),
        _row("POST", f"{agent}:enable", write, "agents_enable", served.enable),
        _row("POST", f"{agent}:disable", write, "agents_disable", served.disable),
        _row("GET", versions, read, "agent_versions_list", served.versions),
        _row("POST", versions, write, "agent_versions_create", served.create_version),
        _row("GET", f"{versions}/{{agent_version}}", read, "agent_versions_get", served.get_version),
        _row("DELETE", f"{versions}/{{agent_version}}", delete, "agent_versions_delete", served.delete_version),
    )


def _row(method: str, form: str, permission: Permission, name: str, act: Act) -> Row:
    return Row(method=method, form=form, permission=permission, name=name, act=act, media=b"")


class _Served:
    """What is done at each of them."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def list(self, entry: Entry, _: bytes) -> Reply:
        """`AgentDetails` of the project's agents; those of a `kind` that is not served are none."""
        order = _order(entry.head)
        if paths.parameter(entry.head, b"kind") not in (None, "", definition.KIND):
            return _page([], has_more=False)
        found = await self._agents.page(entry.place, order)
        return _page([_agent(each) for each in found.agents], has_more=found.has_more)

    async def create(self, entry: Entry, body: bytes) -> Reply:
        """Make an agent with its first version."""
        given = _read(entry.head, body, _Named)
        _require_name(given.name, "name")
        return as_json(_agent(await self._agents.create(entry.place, given.name, _new(given))))

    async def get(self, entry: Entry, _: bytes) -> Reply:
        """One agent, and its latest version in it."""
        return as_json(_agent(await self._agents.get(entry.place, entry.asked.ids[0])))

    async def update(self, entry: Entry, body: bytes) -> Reply:
        """Write a new version of an agent that there is, if it says anything new."""
        given = _read(entry.head, body, _Body)
        agent, _ = await self._agents.update(entry.place, entry.asked.ids[0], _new(given))
        return as_json(_agent(agent))

    async def delete(self, entry: Entry, _: bytes) -> Reply:
        """Remove it with its versions. `force` is about sessions, which agents of this kind have not."""
        name = entry.asked.ids[0]
        await self._agents.delete(entry.place, name)
        return as_json({"object": "agent.deleted", "name": name, "deleted": True})

    async def enable(self, entry: Entry, _: bytes) -> Reply:
        """Let it be used."""
        await self._agents.enable(entry.place, entry.asked.ids[0], enabled=True)
        return Reply(status=204, headers=[], body=b"")

    async def disable(self, entry: Entry, _: bytes) -> Reply:
        """Let it not be used."""
        await self._agents.enable(entry.place, entry.asked.ids[0], enabled=False)
        return Reply(status=204, headers=[], body=b"")

    async def versions(self, entry: Entry, _: bytes) -> Reply:
        """`AgentVersionDetails` of all its versions. There are no drafts to be included."""
        found = await self._agents.versions(entry.place, entry.asked.ids[0], _order(entry.head))
        return _page([_version(found.agent, each) for each in found.versions], has_more=found.has_more)

    async def create_version(self, entry: Entry, body: bytes) -> Reply:
        """Write a version, of a new agent where there is none of that name."""
        name = entry.asked.ids[0]
        _require_name(name, "agent_name")
        given = _read(entry.head, body, _Body)
        return as_json(_version(*await self._agents.create_version(entry.place, name, _new(given))))

    async def get_version(self, entry: Entry, _: bytes) -> Reply:
        """One version."""
        name, version = entry.asked.ids
        return as_json(_version(*await self._agents.get_version(entry.place, name, version)))

    async def delete_version(self, entry: Entry, _: bytes) -> Reply:
        """Remove one version."""
        name, version = entry.asked.ids
        await self._agents.delete_version(entry.place, name, version)
        return as_json({"object": "agent.version.deleted", "name": name, "version": version, "deleted": True})


def _agent(agent: Agent) -> dict[str, object]:
    state = "enabled" if agent.record.enabled else "disabled"
    return {
        "object": "agent",
        "id": agent.name,
        "name": agent.name,
        "state": state,
        "configuration_state": state,
        "versions": {"latest": _version(agent, agent.record.latest)},
    }


def _version(agent: Agent, version: VersionRecord) -> dict[str, object]:
    return {
        "metadata": version.metadata,
        "object": "agent.version",
        "id": f"{agent.name}:{version.number}",
        "name": agent.name,
        "version": str(version.number),
        "description": version.description,
        "created_at": version.created,
        "definition": version.definition,
        "draft": False,
        "status": "active",
        "agent_guid": agent.record.guid,
    }


def _page(data: Sequence[Mapping[str, object]], *, has_more: bool) -> Reply:
    ids = [each["id"] for each in data]
    first, last = (ids[0], ids[-1]) if ids else (None, None)
    return as_json({"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": has_more})


def _order(head: Head) -> Order:
    """Raises `InvalidField`."""
    limit = paths.parameter(head, b"limit") or str(_LIMIT)
    if not (limit.isascii() and limit.isdigit() and len(limit) <= len(str(MOST)) and 1 <= int(limit) <= MOST):
        raise InvalidField(f"'limit' is a whole number from 1 to {MOST}.", param="limit")
    order = paths.parameter(head, b"order") or "desc"
    if order not in ("asc", "desc"):
        raise InvalidField("'order' is asc or desc.", param="order")
    return Order(
        limit=int(limit),
        newest_first=order == "desc",
        after=paths.parameter(head, b"after") or None,
        before=paths.parameter(head, b"before") or None,
    )


def _read(head: Head, body: bytes, kind: type[_T]) -> _T:
    """The body. Raises `MalformedBody`, `InvalidField`, `UnsupportedMediaType` or `NotServedYet`."""
    if head.headers.get(b"content-type", b"").lower().startswith(_MULTIPART):
        raise NotServedYet("Agents from code are not served yet; docs/status.md says what is.")
    paths.require_media(head, JSON[1])
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise unread(body, error) from None


def _new(body: _Body) -> NewVersion:
    """What is said of a version. Raises the `Refused` that fits."""
    if body.draft:
        raise NotSupported("Drafts of versions are not served: leave 'draft' out.", param="draft")
    for member in _REST:
        if getattr(body, member) is not None:
            raise NotSupported(f"'{member}' is not served: leave it out.", param=member)
    description = body.description or ""
    if len(description) > _LONGEST_DESCRIPTION:
        raise InvalidField(f"'description' has at most {_LONGEST_DESCRIPTION} characters.", param="description")
    metadata = body.metadata or {}
    if len(metadata) > _MOST_PAIRS:
        raise InvalidField(f"'metadata' has at most {_MOST_PAIRS} pairs.", param="metadata")
    for key, value in metadata.items():
        if len(key) > _LONGEST_KEY or len(value) > _LONGEST_VALUE:
            raise InvalidField(
                f"'metadata' has keys of at most {_LONGEST_KEY} characters and values of at most {_LONGEST_VALUE}.",
                param="metadata",
            )
    definition.read(bytes(body.definition))
    return NewVersion(definition=msgspec.Raw(bytes(body.definition)), description=description, metadata=metadata)


def _require_name(name: str, param: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise InvalidField(
            "An agent's name has 1 to 63 letters (a to z, A to Z), digits and hyphens, and no hyphen at either end.",
            param=param,
        )
