"""Assets of a project: versions that are made and changed by merge patches, under names.

A name has a document of its own, which exists as long as it has a version: it is what the list of latest versions goes
by. A version's id is made of its name and version, so that it is read by itself, and only one of two writers makes it.
"""

import contextlib
import hashlib
import re
from typing import Self

import msgspec

from forehearth.assets.family import Family, Members
from forehearth.core.clock import Clock
from forehearth.core.document import Document
from forehearth.core.errors import Conflict, InvalidField, NotFound, PreconditionFailed
from forehearth.core.place import Place
from forehearth.documents.repository import Documents, Listing, Order
from forehearth.ports.documents import DocumentStore

PAGE = 50
"""Versions of a page."""
LONGEST_NAME = 255
LONGEST_VERSION = 64
_TRIES = 50
_NEWEST = Order(limit=1)
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an asset."""

    name: str
    version: str
    members: dict[str, object]

    @classmethod
    def of(cls, document: Document) -> Self:
        """Read it."""
        return msgspec.json.decode(document.body, type=cls)


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of assets, the newest first."""

    assets: tuple[Asset, ...]
    next: str | None = None
    """Where the next page begins; None for nowhere."""


class Assets:
    """All that is done with the assets of one family."""

    def __init__(self, store: DocumentStore, family: Family, *, clock: Clock, page: int = PAGE) -> None:
        self._family = family
        self._names = Documents(store, family.kind, new_id=_no_new_id, clock=clock)
        self._versions = Documents(store, f"{family.kind}_version", new_id=_no_new_id, clock=clock)
        self._page = page

    async def put(self, place: Place, name: str, version: str, patch: Members) -> tuple[Asset, bool]:
        """Make a version, or change the one that is there; whether it was made.

        Raises `InvalidField`, and `Conflict` while others write too much.
        """
        _require_name(name, "name", LONGEST_NAME)
        _require_name(version, "version", LONGEST_VERSION)
        for _ in range(_TRIES):
            document = await self._find(place, name, version)
            if document is None:
                made = await self._make(place, name, version, patch)
                if made is not None:
                    return made, True
            else:
                changed = await self._change(document, patch)
                if changed is not None:
                    return changed, False
        raise self._busy(name)

    async def get(self, place: Place, name: str, version: str) -> Asset:
        """One version. Raises `NotFound`."""
        document = await self._find(place, name, version)
        if document is None:
            raise NotFound(f"There is no version '{version}' of the {self._family.kind} '{name}'.")
        return Asset.of(document)

    async def delete(self, place: Place, name: str, version: str) -> None:
        """Remove one version, if it is there; with its last one the name goes."""
        with contextlib.suppress(NotFound):
            await self._versions.delete(place, _id(name, version))
        for _ in range(_TRIES):
            if await self._tidied(place, name):
                return
        raise self._busy(name)

    async def latest(self, place: Place, start: str | None = None) -> Page:
        """Of each name the version that was made last. Raises `InvalidField` for a `start` that is none."""
        names, following = await self._listed(self._names, place, start)
        newest = [await self._versions.list(place, _NEWEST, parent=each.id) for each in names]
        # A name without a version is one whose first is being written, or whose last was just deleted.
        assets = tuple(Asset.of(each.documents[0]) for each in newest if each.documents)
        return Page(assets=assets, next=following.id if following else None)

    async def versions(self, place: Place, name: str, start: str | None = None) -> Page:
        """All versions of a name; none where there is no such name. Raises `InvalidField` as `latest` does."""
        first = None if start is None else _id(name, start)
        found, following = await self._listed(self._versions, place, first, parent=name)
        assets = tuple(map(Asset.of, found))
        return Page(assets=assets, next=Asset.of(following).version if following else None)

    async def _listed(
        self, documents: Documents, place: Place, start: str | None, *, parent: str | None = None
    ) -> tuple[list[Document], Document | None]:
        """One page, and the first document of the next.

        A page begins with a document that its reader has not seen yet: whoever deletes what a list shows, while reading
        on, does not lose the way.
        """
        found: list[Document] = []
        if start is not None:
            try:
                found = [await documents.get(place, start)]
            except NotFound:
                raise InvalidField(
                    "What this page begins with was deleted meanwhile, or was never there: list from the beginning.",
                    param="skipToken",
                ) from None
        order = Order(limit=self._page + 1 - len(found), after=start)
        listing: Listing = await documents.list(place, order, parent=parent)
        found += listing.documents
        return found[: self._page], found[self._page] if len(found) > self._page else None

    async def _find(self, place: Place, name: str, version: str) -> Document | None:
        try:
            return await self._versions.get(place, _id(name, version))
        except NotFound:
            return None

    async def _make(self, place: Place, name: str, version: str, patch: Members) -> Asset | None:
        """None where somebody else made it at the same time."""
        asset = Asset(name=name, version=version, members=dict(self._family.patched({}, patch)))
        await self._ensure(place, name)
        try:
            await self._versions.create(place, msgspec.json.encode(asset), id=_id(name, version), parent=name)
        except Conflict:
            return None
        for _ in range(_TRIES):
            # Written again, the name is not deleted by whoever saw it without this version.
            document = await self._ensure(place, name)
            with contextlib.suppress(NotFound, PreconditionFailed):
                await self._names.update(document)
                return asset
        raise self._busy(name)

    async def _change(self, document: Document, patch: Members) -> Asset | None:
        """None where somebody else changed it at the same time."""
        asset = Asset.of(document)
        changed = msgspec.structs.replace(asset, members=dict(self._family.patched(asset.members, patch)))
        body = msgspec.json.encode(changed)
        if body == document.body:
            return asset
        written = msgspec.structs.replace(document, body=body)
        try:
            await self._versions.update(written, etag=document.etag)
        except (PreconditionFailed, NotFound):
            return None
        return changed

    async def _tidied(self, place: Place, name: str) -> bool:
        """Remove a name that has no version. Not whether that was so, but whether it is certain."""
        try:
            document = await self._names.get(place, name)
            if not (await self._versions.list(place, _NEWEST, parent=name)).documents:
                await self._names.delete(place, name, etag=document.etag)
        except NotFound:
            return True
        except PreconditionFailed:
            return False  # somebody wrote a version meanwhile
        return True

    async def _ensure(self, place: Place, name: str) -> Document:
        for _ in range(_TRIES):
            try:
                return await self._names.get(place, name)
            except NotFound:
                pass
            with contextlib.suppress(Conflict):
                return await self._names.create(place, b"{}", id=name)
        raise self._busy(name)

    def _busy(self, name: str) -> Conflict:
        return Conflict(f"The {self._family.kind} '{name}' is being changed by others: try again.")


def _id(name: str, version: str) -> str:
    """Names and versions have no colon, so that no two pairs have the same one; hashed, because an id is shorter."""
    return hashlib.sha256(f"{name}:{version}".encode()).hexdigest()


def _no_new_id() -> str:
    raise AssertionError("assets are kept under ids that are made of their names")


def _require_name(text: str, param: str, longest: int) -> None:
    if len(text) > longest or _NAME.fullmatch(text) is None:
        raise InvalidField(
            f"'{param}' has 1 to {longest} letters (a to z, A to Z), digits, '-', '_' and '.', and begins with a "
            "letter or digit.",
            param=param,
        )
