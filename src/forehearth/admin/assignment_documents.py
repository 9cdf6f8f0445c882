"""The role assignments that were made at run time, as documents of their resource."""

import logging
from collections.abc import AsyncIterator

from forehearth.core.clock import Clock
from forehearth.core.document import StoreFailed
from forehearth.core.errors import NotFound
from forehearth.core.place import Place
from forehearth.documents.repository import MOST, Documents, Listing, Order
from forehearth.identity.assignment_records import ID_PREFIX, KIND, AssignmentRecord, decode, encode, read
from forehearth.identity.key_records import KeyRecord
from forehearth.identity.roles import Role
from forehearth.identity.stored import roles_of_keys
from forehearth.ports.documents import DocumentStore

_log = logging.getLogger("forehearth.admin")


class AssignmentDocuments:
    """Role assignments in the store. A record has the id that is made of what it says: see `with_id`."""

    def __init__(self, store: DocumentStore, clock: Clock) -> None:
        self._documents = Documents(store, KIND, new_id=lambda: ID_PREFIX, clock=clock)

    async def list(self, resource: str, order: Order, *, role: str | None, principal: str | None) -> Listing:
        """One page of a resource's. Raises `InvalidField`."""
        wanted = {"role": role, "principal": principal}
        metadata = {name: value for name, value in wanted.items() if value is not None}
        return await self._documents.list(Place(resource=resource), order, metadata=metadata)

    async def get(self, resource: str, id: str) -> AssignmentRecord:  # noqa: A002 - what it is
        """One of them. Raises `NotFound`."""
        return decode((await self._documents.get(Place(resource=resource), id)).body)

    async def add(self, record: AssignmentRecord) -> None:
        """Keep one. Raises `Conflict` where it is there already."""
        metadata = {"role": record.role, "principal": record.principal_id}
        await self._documents.create(Place(resource=record.resource), encode(record), id=record.id, metadata=metadata)

    async def remove(self, record: AssignmentRecord) -> None:
        """Remove one. Raises `NotFound`."""
        await self._documents.delete(Place(resource=record.resource), record.id)

    async def roles_of(self, key: KeyRecord) -> tuple[Role, ...]:
        """The roles that a key has."""
        records = [each async for each in self._of(key)]
        return tuple(roles_of_keys(records).get(key.id, ()))

    async def forget(self, key: KeyRecord) -> None:
        """Remove what an ended key was given. Nobody has its id again, so what is left of it gives nothing."""
        try:
            for record in [each async for each in self._of(key)]:
                await self.remove(record)
        except (StoreFailed, NotFound) as error:
            _log.warning("role assignments of the ended key %s may be left over: %s", key.id, error)

    async def _of(self, key: KeyRecord) -> AsyncIterator[AssignmentRecord]:
        after: str | None = None
        while True:
            page = await self.list(key.resource, Order(limit=MOST, after=after), role=None, principal=key.id)
            for document in page.documents:
                record = read(document)
                if record is not None and record.principal_type == "key":
                    yield record
            if not page.has_more:
                return
            after = page.last_id
