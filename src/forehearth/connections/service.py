"""What can be done with connections: read, read with their credentials, made, replaced and removed, sealed anew.

Those of the configuration stay as they are there. No two of a project have the same name, wherever they stand.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from forehearth.connections.records import (
    KIND,
    Connection,
    ConnectionRecord,
    configured,
    credentials_type,
    record_of,
    revealed,
    stored,
)
from forehearth.core.clock import Clock
from forehearth.core.connection_settings import ConnectionSettings
from forehearth.core.document import Document
from forehearth.core.errors import Broken, Conflict, NotFound, PreconditionFailed
from forehearth.core.place import Place
from forehearth.core.sealed import Unsealable
from forehearth.documents.repository import Documents, Order
from forehearth.ports.documents import DocumentStore
from forehearth.ports.sealer import Sealer

MOST: Final = 200
"""Connections of a project that are made while the server runs."""
_PAGE: Final = 100
_TRIES: Final = 20

Configured = Mapping[Place, Mapping[str, ConnectionSettings]]
"""By project, and in it by name."""


class Resealed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the connections of a resource when all were sealed anew."""

    new_key: bool
    """Whether a key was made for it; False where the keys are the operator's own."""
    resealed: int
    unreadable: int
    """Those that did not open: they stay as they are."""


class Connections:
    """The connections of all projects. Every method raises `StoreFailed` where the store cannot be asked."""

    def __init__(self, store: DocumentStore, configured: Configured, sealer: Sealer, clock: Clock) -> None:
        self._store = store
        self._documents = Documents(store, KIND, new_id=_never, clock=clock)
        self._configured = configured
        self._sealer = sealer

    async def all(self, place: Place) -> list[Connection]:
        """All of a project's, by name."""
        given = [configured(name, each) for name, each in self._of(place).items()]
        kept = [stored(each) for each in await self._kept(place) if each.id not in self._of(place)]
        return sorted((*given, *kept), key=lambda each: each.name)

    async def get(self, place: Place, name: str) -> Connection:
        """One of them. Raises `NotFound`."""
        given = self._of(place).get(name)
        return stored(await self._documents.get(place, name)) if given is None else configured(name, given)

    async def reveal(self, place: Place, name: str) -> tuple[Connection, Mapping[str, str]]:
        """One of them, and its credentials, by the names that clients find them under.

        Raises `NotFound`, and `Broken` where what is kept does not open.
        """
        given = self._of(place).get(name)
        if given is not None:
            return configured(name, given), revealed(given)
        for _ in range(2):  # it may have been sealed anew, and the key of before be gone, since it was read
            document = await self._documents.get(place, name)
            try:
                return stored(document), self._opened(document)
            except Unsealable as error:
                why = error.message
        raise Broken(f"The credentials of the connection '{name}' cannot be read: {why}.")

    async def create(self, place: Place, name: str, new: ConnectionSettings) -> Connection:
        """Make one. Raises `Conflict` where there is one of that name, or as many as there may be."""
        if name in self._of(place):
            raise Conflict(f"The connection '{name}' stands in the configuration.", param="name")
        others = await self._kept(place)
        if len(others) >= MOST:
            raise Conflict(f"A project has at most {MOST} connections that are made here: delete one.")
        await self._require_default(place, name, new)
        record = self._record(place, name, new)
        return stored(await self._documents.create(place, msgspec.json.encode(record), id=name))

    async def replace(self, place: Place, name: str, new: ConnectionSettings) -> Connection:
        """Write one anew, credentials included. Raises `NotFound`, and `Conflict` for one of the configuration."""
        self._require_ours(place, name)
        document = await self._documents.get(place, name)
        await self._require_default(place, name, new)
        body = msgspec.json.encode(self._record(place, name, new))
        return stored(await self._documents.update(msgspec.structs.replace(document, body=body)))

    async def delete(self, place: Place, name: str) -> Connection:
        """Remove one; what it was. Raises `NotFound`, and `Conflict` for one of the configuration."""
        self._require_ours(place, name)
        gone = stored(await self._documents.get(place, name))
        await self._documents.delete(place, name)
        return gone

    async def reseal(self, resource: str) -> Resealed:
        """Seal all connections anew, of every resource, with a new key where the keys are the installation's own.

        What is told is told of one resource. A key is forgotten when nothing is sealed with it any more, and it is not
        the last but one: another process may just have sealed something with that.
        """
        new_key = self._sealer.renew()
        counts: dict[bool, int] = {True: 0, False: 0}
        for document in await self._store.of_all_places(KIND):
            done = await self._resealed(document)
            if done is not None and document.place.resource == resource:
                counts[done] += 1
        records = [record_of(each) for each in await self._store.of_all_places(KIND)]
        self._sealer.forget({each.sealed.key for each in records if each.sealed is not None})
        return Resealed(new_key=new_key, resealed=counts[True], unreadable=counts[False])

    async def _resealed(self, document: Document) -> bool | None:
        """Whether it was sealed anew; False where it does not open, None where nothing was to be done."""
        for _ in range(_TRIES):
            record = record_of(document)
            if record.sealed is None or self._sealer.is_current(record.sealed):
                return None
            try:
                context = record.context(document.place, document.id)
                sealed = self._sealer.seal(self._sealer.open(record.sealed, context), context)
            except Unsealable:
                return False
            body = msgspec.json.encode(msgspec.structs.replace(record, sealed=sealed))
            try:
                await self._documents.update(msgspec.structs.replace(document, body=body), etag=document.etag)
            except NotFound:
                return None  # it was removed meanwhile
            except PreconditionFailed:
                found = await self._store.get(document.place, KIND, document.id)
                if found is None:
                    return None
                document = found
                continue
            return True
        raise Conflict(f"The connection '{document.id}' is changed all the time: try again.")

    def _opened(self, document: Document) -> Mapping[str, str]:
        record = record_of(document)
        if record.sealed is None:
            return {}
        text = self._sealer.open(record.sealed, record.context(document.place, document.id))
        return msgspec.json.decode(text, type=dict[str, str])

    def _record(self, place: Place, name: str, new: ConnectionSettings) -> ConnectionRecord:
        record = ConnectionRecord(
            type=new.type,
            target=new.target,
            default=new.default,
            credentials=credentials_type(new),
            metadata=new.metadata,
            sealed=None,
        )
        secret = revealed(new)
        if not secret:
            return record
        sealed = self._sealer.seal(msgspec.json.encode(secret), record.context(place, name))
        return msgspec.structs.replace(record, sealed=sealed)

    async def _kept(self, place: Place) -> list[Document]:
        found: list[Document] = []
        while True:
            after = found[-1].id if found else None
            page = await self._documents.list(place, Order(limit=_PAGE, newest_first=False, after=after))
            found += page.documents
            if not page.has_more:
                return found

    def _of(self, place: Place) -> Mapping[str, ConnectionSettings]:
        return self._configured.get(place, {})

    def _require_ours(self, place: Place, name: str) -> None:
        if name in self._of(place):
            raise Conflict(f"The connection '{name}' stands in the configuration: change it there.", param="name")

    async def _require_default(self, place: Place, name: str, new: ConnectionSettings) -> None:
        """Only one of a type is the default one."""
        if not new.default:
            return
        for each in await self.all(place):
            if each.default and each.type == new.type and each.name != name:
                raise Conflict(
                    f"The connection '{each.name}' is the default one of the type {new.type}.", param="default"
                )


def _never() -> str:
    raise ValueError("a connection has the name that it is given")
