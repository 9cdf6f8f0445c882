"""Endpoints whose use is in the audit log: those that change what others work with, such as an agent or a file.

What callers keep for themselves, such as conversations, threads and responses, changes with every call, and is not.
Who is refused is recorded elsewhere, and what was asked for in vain changed nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from forehearth.core.change import Change
from forehearth.core.document import StoreFailed
from forehearth.core.exchange import Reply
from forehearth.ports.changes import Changes
from forehearth.ports.door import Door
from forehearth.ports.hosts import Hosts
from forehearth.ports.surface import Entry
from forehearth.wire.azure_deployments import AzureDeployments
from forehearth.wire.openai_v1 import OpenAIV1
from forehearth.wire.projects import Projects
from forehearth.wire.surfaces import Families, FamiliesOf
from forehearth.wire.table import Row

_ASSISTANTS = ("assistants_create", "assistants_update", "assistants_delete")
RECORDED = frozenset(
    {
        "agents_create",
        "agents_update",
        "agents_delete",
        "agents_enable",
        "agents_disable",
        "agent_versions_create",
        "agent_versions_delete",
        *_ASSISTANTS,
        *(f"project_{each}" for each in _ASSISTANTS),
        "indexes_create_or_update",
        "indexes_delete",
        "datasets_create_or_update",
        "datasets_delete",
        "files_create",
        "files_delete",
    }
)
"""The names of the endpoints."""
_IN_DOUBT = 502
_Body = TypeVar("_Body")


class _Made(msgspec.Struct):
    """Of an answer, what tells the thing that was made."""

    id: str


def recorded(made: FamiliesOf, changes: Changes) -> FamiliesOf:
    """The same endpoints, of whose changes `changes` is told."""

    def families(resource: str, door: Door, hosts: Hosts) -> Families:
        found = made(resource, door, hosts)
        return Families(
            v1=_rows(found.v1, OpenAIV1.name, changes),
            v1_of_resource=_rows(found.v1_of_resource, OpenAIV1.name, changes),
            classic=_rows(found.classic, AzureDeployments.name, changes),
            project=_rows(found.project, Projects.name, changes),
        )

    return families


def _rows(rows: Sequence[Row], surface: str, changes: Changes) -> Sequence[Row]:
    return tuple(_row(row, surface, changes) if row.name in RECORDED else row for row in rows)


def _row(row: Row, surface: str, changes: Changes) -> Row:
    act = None if row.act is None else _told(row.act, surface, changes)
    upload = row.upload
    if upload is not None:
        upload = msgspec.structs.replace(upload, act=_told(upload.act, surface, changes))
    return msgspec.structs.replace(row, act=act, upload=upload)


def _told(
    act: Callable[[Entry, _Body], Awaitable[Reply]], surface: str, changes: Changes
) -> Callable[[Entry, _Body], Awaitable[Reply]]:
    async def done(entry: Entry, body: _Body) -> Reply:
        try:
            reply = await act(entry, body)
        except StoreFailed as error:
            if error.uncertain:
                await changes.made(_change(entry, surface, "/".join(entry.asked.ids), _IN_DOUBT))
            raise
        target = _of_answer(reply) if _makes(entry) else "/".join(entry.asked.ids)
        await changes.made(_change(entry, surface, target, reply.status))
        return reply

    return done


def _change(entry: Entry, surface: str, target: str, status: int) -> Change:
    return Change(
        request_id=entry.trace.request_id,
        place=entry.place,
        operation=f"{Projects.name if entry.place.project else surface}.{entry.asked.endpoint.name}",
        principal=entry.principal,
        target=target,
        status=status,
    )


def _makes(entry: Entry) -> bool:
    """Whether something new is made, which its answer names."""
    return entry.asked.endpoint.name.endswith("_create")


def _of_answer(reply: Reply) -> str:
    return msgspec.json.decode(reply.body, type=_Made).id
