"""Documents and the audit log in this process's memory: the reference for every other store, and for tests."""

from collections.abc import Sequence

import msgspec

from forehearth.core.audit import AuditQuery, AuditRecord
from forehearth.core.document import CursorLost, Document, DocumentChanged, DocumentExists, Query
from forehearth.core.place import Place

_Key = tuple[Place, str, str]


class MemoryDocuments:
    """A `ports.documents.DocumentStore`."""

    def __init__(self) -> None:
        self._documents: dict[_Key, Document] = {}
        self._versions: dict[str, int] = {}
        self._last = 0
        self._writes = 0

    async def insert(self, document: Document) -> Document:
        """See `ports.documents`."""
        (kept,) = await self.insert_many([document])
        return kept

    async def insert_many(self, documents: Sequence[Document]) -> list[Document]:
        """See `ports.documents`."""
        keys = [(each.place, each.kind, each.id) for each in documents]
        found = [self._documents.get(key) for key in keys]
        taken = (
            each is not None and not _has_expired(each, new.created) for each, new in zip(found, documents, strict=True)
        )
        if len(set(keys)) < len(keys) or any(taken):
            raise DocumentExists
        return [self._insert(key, document) for key, document in zip(keys, documents, strict=True)]

    async def get(self, place: Place, kind: str, id: str) -> Document | None:  # noqa: A002 - the port's
        """See `ports.documents`."""
        return self._documents.get((place, kind, id))

    async def replace(self, document: Document, *, etag: str | None) -> Document:
        """See `ports.documents`."""
        found = self._documents.get((document.place, document.kind, document.id))
        if found is None or etag not in (None, found.etag) or _has_expired(found, document.updated):
            raise DocumentChanged
        return self._keep(msgspec.structs.replace(document, sequence=found.sequence, created=found.created))

    async def delete(self, place: Place, kind: str, id: str, now: float, *, etag: str | None = None) -> bool:  # noqa: A002 - the port's
        """See `ports.documents`."""
        found = self._documents.get((place, kind, id))
        if found is None or etag not in (None, found.etag) or _has_expired(found, now):
            return False
        del self._documents[place, kind, id]
        self._changed(kind)
        return True

    async def page(self, query: Query) -> list[Document]:
        """See `ports.documents`."""
        found = [each for each in self._documents.values() if _fits(each, query)]
        found.sort(key=lambda each: each.sequence, reverse=query.newest_first)
        for name, bound, keeps_later in (("after", query.after, True), ("before", query.before, False)):
            if bound is None:
                continue
            edge = self._documents.get((query.place, query.kind, bound))
            if edge is None:
                raise CursorLost(name)
            later = query.newest_first is not keeps_later
            found = [each for each in found if (each.sequence > edge.sequence) is later and each is not edge]
        return found[: query.limit + 1] if query.before is None else found[-query.limit - 1 :]

    async def of_all_places(self, kind: str) -> list[Document]:
        """See `ports.documents`."""
        found = (each for each in self._documents.values() if each.kind == kind)
        return sorted(found, key=lambda each: each.sequence)

    async def runs(self, resource: str, id: str, now: float) -> list[Document]:  # noqa: A002 - the port's
        """See `ports.documents`."""
        return [each for each in await self._runs(resource, now) if each.id == id]

    async def runs_before(self, resource: str, sequence: int | None, now: float, limit: int) -> list[Document]:
        """See `ports.documents`."""
        found = await self._runs(resource, now)
        return [each for each in found if sequence is None or each.sequence < sequence][:limit]

    async def _runs(self, resource: str, now: float) -> list[Document]:
        found = [*await self.of_all_places("response"), *await self.of_all_places("thread_run")]
        newest = sorted(found, key=lambda each: -each.sequence)
        return [each for each in newest if each.place.resource == resource and not _has_expired(each, now)]

    async def version(self, kind: str) -> int:
        """See `ports.documents`."""
        return self._versions.get(kind, 0)

    async def remove_expired(self, now: float, limit: int) -> int:
        """See `ports.documents`."""
        found = [(each.expires, key) for key, each in self._documents.items() if each.expires is not None]
        gone = sorted((each for each in found if each[0] <= now), key=lambda each: each[0])[:limit]
        for _, key in gone:
            self._changed(self._documents.pop(key).kind)
        return len(gone)

    def _insert(self, key: _Key, document: Document) -> Document:
        self._documents.pop(key, None)
        self._last += 1
        return self._keep(msgspec.structs.replace(document, sequence=self._last))

    def _keep(self, document: Document) -> Document:
        self._writes += 1
        kept = msgspec.structs.replace(document, etag=str(self._writes))
        self._documents[document.place, document.kind, document.id] = kept
        self._changed(document.kind)
        return kept

    def _changed(self, kind: str) -> None:
        self._versions[kind] = self._versions.get(kind, 0) + 1


class MemoryAudit:
    """A `ports.audit.AuditStore`."""

    def __init__(self) -> None:
        self._records: list[AuditRecord] = []
        self._last = 0

    async def append(self, records: Sequence[AuditRecord]) -> None:
        """See `ports.audit`."""
        for record in records:
            self._last += 1
            self._records.append(msgspec.structs.replace(record, sequence=self._last))

    async def page(self, query: AuditQuery) -> list[AuditRecord]:
        """See `ports.audit`."""
        found = [each for each in reversed(self._records) if _is_asked_for(each, query)]
        return found[: query.limit]

    async def prune(self, before: float) -> int:
        """See `ports.audit`."""
        kept = [each for each in self._records if each.at >= before]
        gone, self._records = len(self._records) - len(kept), kept
        return gone


def _fits(document: Document, query: Query) -> bool:
    return (
        (document.place, document.kind) == (query.place, query.kind)
        and query.parent in (None, document.parent)
        and not _has_expired(document, query.now)
        and query.metadata.items() <= document.metadata.items()
    )


def _has_expired(document: Document, now: float) -> bool:
    return document.expires is not None and document.expires <= now


def _is_asked_for(record: AuditRecord, query: AuditQuery) -> bool:
    return (
        query.resource in (None, record.resource)
        and query.actor in (None, record.actor)
        and query.action in (None, record.action)
        and (query.since is None or record.at >= query.since)
        and (query.before is None or record.sequence < query.before)
    )
