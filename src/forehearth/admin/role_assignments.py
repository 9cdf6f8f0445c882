"""Role assignments as operators see them: those of the configuration, and those that are made and removed at run time.

A key that is given a role opens from then on what its roles allow, within its own limits, and nothing when it has none
any more: to take a role away never opens anything.
"""

import contextlib
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from forehearth.admin.assignment_documents import AssignmentDocuments
from forehearth.admin.key_scope import Tenant
from forehearth.admin.keys import Keys
from forehearth.admin.role_scope import Holders, RoleScope, check, check_id, named, no_such_key, require_may_assign
from forehearth.core.clock import Clock
from forehearth.core.document import StoreFailed
from forehearth.core.errors import Conflict, InvalidField, NotFound
from forehearth.core.principal import Principal
from forehearth.documents.repository import Order
from forehearth.identity import roles
from forehearth.identity.assignment_records import AssignmentRecord, plain_id, read, with_id
from forehearth.identity.assignments import CONFIGURED, OF_THE_ISSUER
from forehearth.identity.key_records import KeyRecord
from forehearth.ports.documents import DocumentStore


class RoleTools(msgspec.Struct, frozen=True, kw_only=True):
    """What roles are assigned with."""

    clock: Clock
    spread: Callable[[], Awaitable[None]]
    """Returns when a change has reached every worker, as far as that can be known."""
    holders: Holders
    configured: Sequence[AssignmentRecord]
    """Those of the configuration, and those that the development issuer brings along."""


class AssignmentPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of a resource's assignments: the newest first, and after them those of the configuration."""

    records: tuple[AssignmentRecord, ...]
    after: str | None
    """What the next page comes after; None on the last one."""


class RoleAssignments:
    """The role assignments of all resources."""

    def __init__(self, store: DocumentStore, keys: Keys, tools: RoleTools) -> None:
        self._documents = AssignmentDocuments(store, tools.clock)
        self._keys = keys
        self._tools = tools

    async def page(
        self, resource: str, order: Order, *, role: str | None = None, principal: str | None = None
    ) -> AssignmentPage:
        """A resource's assignments, or those of a role or of a principal. Raises `InvalidField`."""
        role = None if role is None else named(role).name
        principal = None if principal is None else plain_id(principal)
        configured = [
            each
            for each in self._tools.configured
            if each.resource == resource and role in (None, each.role) and principal in (None, each.principal_id)
        ]
        if order.after is not None and _is_configured(order.after):
            return _configured_page(configured, order)
        found = await self._documents.list(resource, order, role=role, principal=principal)
        records = tuple(each for document in found.documents if (each := read(document)) is not None)
        if found.has_more:
            return AssignmentPage(records=records, after=found.last_id)
        some = configured[: order.limit - len(found.documents)]
        last = some[-1].id if some else found.last_id
        return AssignmentPage(records=(*records, *some), after=last if len(some) < len(configured) else None)

    async def get(self, resource: str, id: str) -> AssignmentRecord:  # noqa: A002 - what it is
        """One of them. Raises `NotFound`."""
        for each in self._tools.configured:
            if (each.id, each.resource) == (id, resource):
                return each
        return await self._documents.get(resource, id)

    async def assign(self, maker: Principal, resource: str, tenant: Tenant, scope: RoleScope) -> AssignmentRecord:
        """Give a role to somebody.

        Raises `InvalidField`, `PermissionDenied` where `maker` could not, and `Conflict` where they have it.
        """
        check_id(scope.principal_id)
        key = await self._key(resource, scope) if scope.principal_type == "key" else None
        record = check(scope, resource, tenant, self._tools.holders, key)
        record = msgspec.structs.replace(record, created=int(self._tools.clock.unix()))
        await self._require_may(maker, record, key)
        await self._require_new(record)
        changed = key is not None and await self._confine(key)
        try:
            await self._documents.add(record)
        except Conflict:
            raise _there_already(record.id) from None
        except StoreFailed as error:
            raise StoreFailed(str(error), uncertain=error.uncertain or changed) from None
        await self._tools.spread()
        return record

    async def remove(self, maker: Principal, resource: str, id: str) -> AssignmentRecord:  # noqa: A002 - what it is
        """Take a role away again; what the assignment was. A key that has no role then opens nothing.

        Raises `NotFound`, `PermissionDenied`, and `Conflict` for those of the configuration.
        """
        record = await self.get(resource, id)
        if _is_configured(id):
            raise Conflict(_why_not(record))
        own = await self._keys.known(maker, resource)
        if record.principal_type != "key":
            require_may_assign(maker, record, own)
        else:
            with contextlib.suppress(NotFound):  # the key was ended, and this is left over
                await self._keys.confine(await self._keys.get(resource, record.principal_id))
        await self._documents.remove(record)
        await self._tools.spread()
        return record

    async def _key(self, resource: str, scope: RoleScope) -> KeyRecord:
        try:
            return await self._keys.get(resource, scope.principal_id)
        except NotFound:
            raise no_such_key(scope.principal_id) from None

    async def _confine(self, key: KeyRecord) -> bool:
        try:
            return await self._keys.confine(key)
        except NotFound:
            raise no_such_key(key.name) from None

    async def _require_may(self, maker: Principal, record: AssignmentRecord, key: KeyRecord | None) -> None:
        if key is None:
            require_may_assign(maker, record, await self._keys.known(maker, record.resource))
            return
        has = await self._documents.roles_of(key)
        given = (*has, roles.named(record.role))
        await self._keys.require_within(maker, msgspec.structs.replace(key, roles_only=True), given)

    async def _require_new(self, record: AssignmentRecord) -> None:
        for each in self._tools.configured:
            if with_id(each).id == record.id:
                raise _there_already(each.id)
        try:
            await self._documents.get(record.resource, record.id)
        except NotFound:
            return
        raise _there_already(record.id)


def source(record: AssignmentRecord) -> str:
    """Where an assignment is from."""
    if record.id.startswith(CONFIGURED):
        return "configuration"
    return "development issuer" if record.id.startswith(OF_THE_ISSUER) else "admin"


def _is_configured(id: str) -> bool:  # noqa: A002 - what it is
    return id.startswith((CONFIGURED, OF_THE_ISSUER))


def _configured_page(configured: Sequence[AssignmentRecord], order: Order) -> AssignmentPage:
    start = next((index + 1 for index, each in enumerate(configured) if each.id == order.after), None)
    if start is None:
        raise InvalidField("'after' is not the id of a role assignment in this list.", param="after")
    shown = tuple(configured[start : start + order.limit])
    more = start + len(shown) < len(configured)
    return AssignmentPage(records=shown, after=shown[-1].id if more else None)


def _there_already(id: str) -> Conflict:  # noqa: A002 - what it is
    return Conflict(f"This role assignment exists already: '{id}'.")


def _why_not(record: AssignmentRecord) -> str:
    if record.id.startswith(CONFIGURED):
        position = record.id.removeprefix(CONFIGURED)
        return f"It is identity.assignments[{position}] of the configuration: remove it there, and start anew."
    return "The development issuer brings it along: start the server without --dev-issuer, and it is not there."
