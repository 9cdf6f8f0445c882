"""Role assignments as the admin API reads and shows them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self

import msgspec

from forehearth.admin.office import Office
from forehearth.admin.role_assignments import source
from forehearth.admin.role_scope import RoleScope
from forehearth.core.exchange import Reply
from forehearth.identity.assignment_records import AssignmentRecord, PrincipalType
from forehearth.wire import admin_bodies as bodies
from forehearth.wire.admin_asked import CREATED, OK, Asked, Handler, admin_endpoint, json_reply, no_content, page_reply

PATH = "/admin/role-assignments"
ENDPOINTS = (
    admin_endpoint("GET", PATH, "roles.list"),
    admin_endpoint("POST", PATH, "roles.assign"),
    admin_endpoint("GET", f"{PATH}/{{id}}", "roles.get"),
    admin_endpoint("DELETE", f"{PATH}/{{id}}", "roles.remove"),
)
PARAMETERS: Mapping[str, frozenset[str]] = {
    "roles.list": frozenset({"resource", "limit", "after", "role", "principalId"})
}


class NewAssignment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The body that asks for a role assignment. Its resource is the one that is asked, and cannot be set."""

    role: str
    principal_type: PrincipalType
    principal_id: str
    issuer: str | None = None
    tenant: str | None = None
    project: str | None = None
    agent: str | None = None

    def scope(self) -> RoleScope:
        """The same, as `admin` has it."""
        return RoleScope(**msgspec.structs.asdict(self))


class AssignmentView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A role assignment, as it is shown."""

    id: str
    role: str
    principal_type: str
    principal_id: str
    principal_name: str | None
    issuer: str | None
    tenant: str | None
    resource: str
    project: str | None
    agent: str | None
    source: str
    created: datetime | None

    @classmethod
    def of(cls, record: AssignmentRecord) -> Self:
        """What may be seen of it."""
        return cls(
            id=record.id,
            role=record.role,
            principal_type=record.principal_type,
            principal_id=record.principal_id,
            principal_name=record.principal_name or None,
            issuer=record.issuer or None,
            tenant=record.tenant or None,
            resource=record.resource,
            project=record.project or None,
            agent=record.agent or None,
            source=source(record),
            created=bodies.moment(record.created) if record.created else None,
        )


class RolePages:
    """The endpoints of role assignments."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self.handlers: Mapping[str, Handler] = {
            "roles.list": self._list,
            "roles.assign": self._assign,
            "roles.get": self._get,
            "roles.remove": self._remove,
        }

    async def _list(self, asked: Asked) -> Reply:
        query = asked.query
        found = await self._office.roles.page(
            asked.resource, asked.order, role=query.get("role"), principal=query.get("principalId")
        )
        return page_reply(PATH, query, tuple(map(AssignmentView.of, found.records)), found.after)

    async def _assign(self, asked: Asked) -> Reply:
        wanted = bodies.read(await asked.body(), NewAssignment)
        asked.note.target = wanted.principal_id
        tenant = self._office.tenants[asked.resource]
        record = await self._office.roles.assign(asked.principal, asked.resource, tenant, wanted.scope())
        _tell(asked, record)
        return json_reply(CREATED, AssignmentView.of(record), (b"location", f"{PATH}/{record.id}".encode()))

    async def _get(self, asked: Asked) -> Reply:
        return json_reply(OK, AssignmentView.of(await self._office.roles.get(asked.resource, asked.id)))

    async def _remove(self, asked: Asked) -> Reply:
        _tell(asked, await self._office.roles.remove(asked.principal, asked.resource, asked.id))
        return no_content()


def _tell(asked: Asked, record: AssignmentRecord) -> None:
    """For the audit log: all that was given or taken."""
    note = asked.note
    note.target, note.project = record.id, record.project
    at = [f"project {record.project}"] if record.project else []
    at += [f"agent {record.agent}"] if record.agent else []
    name = f" ({record.principal_name})" if record.principal_name else ""
    of = f" of {record.issuer}" if record.issuer else ""
    directory = f", directory {record.tenant}" if record.tenant else ""
    where = ", ".join(at) or f"resource {record.resource}"
    note.detail = f"{record.role} to {record.principal_type} {record.principal_id}{name}{of}{directory}; at {where}"
