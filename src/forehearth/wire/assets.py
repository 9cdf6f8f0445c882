"""Indexes and datasets below a project: `/indexes` and `/datasets`, and their versions.

Source of shapes, statuses and media types: the operations of `azure-ai-projects` 2.10.0. Of the form of ids: the
service's replies as they are quoted in its documentation. What needs a store of files is not served yet.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from forehearth.assets.family import LONGEST
from forehearth.assets.service import Asset, Assets, Page
from forehearth.core.errors import InvalidField
from forehearth.core.exchange import Head, Reply
from forehearth.core.misfit import UNREADABLE, unread
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.ports.surface import Act, Entry
from forehearth.wire import paths
from forehearth.wire.envelope import as_json
from forehearth.wire.table import Row

MERGE_PATCH = b"application/merge-patch+json"


def rows(indexes: Assets, datasets: Assets) -> Sequence[Row]:
    """The endpoints."""
    # The service's ids say `data` of what its paths call `datasets`. A dataset here is never more than a reference.
    return (
        *_rows("indexes", _Served(indexes, called="indexes", also={})),
        *_rows("datasets", _Served(datasets, called="data", also={"isReference": True})),
    )


def _rows(family: str, served: "_Served") -> Sequence[Row]:
    versions = f"/{family}/{{name}}/versions"
    one, read = f"{versions}/{{version}}", Permission.READ_ASSETS

    def row(method: str, form: str, permission: Permission, what: str, act: Act) -> Row:
        name = f"{family}_{what}"
        return Row(method=method, form=form, permission=permission, name=name, act=act, media=MERGE_PATCH)

    return (
        row("GET", f"/{family}", read, "list", served.list),
        row("GET", versions, read, "list_versions", served.versions),
        row("GET", one, read, "get", served.get),
        row("PATCH", one, Permission.WRITE_ASSETS, "create_or_update", served.put),
        row("DELETE", one, Permission.DELETE_ASSETS, "delete", served.delete),
    )


class _Served:
    """What is done at each of them. `called` is their word in ids, and `also` what all of them say."""

    def __init__(self, assets: Assets, *, called: str, also: dict[str, object]) -> None:
        self._assets = assets
        self._called = called
        self._also = also

    async def list(self, entry: Entry, _: bytes) -> Reply:
        """Of each name the version that was made last."""
        return self._shown(entry, await self._assets.latest(entry.place, _start(entry.head)))

    async def versions(self, entry: Entry, _: bytes) -> Reply:
        """All versions of a name; a page without any where there is none of that name."""
        return self._shown(entry, await self._assets.versions(entry.place, entry.asked.ids[0], _start(entry.head)))

    async def get(self, entry: Entry, _: bytes) -> Reply:
        """One version."""
        name, version = entry.asked.ids
        return as_json(self._asset(entry.place, await self._assets.get(entry.place, name, version)))

    async def put(self, entry: Entry, body: bytes) -> Reply:
        """Make a version (201), or change its description and tags (200)."""
        name, version = entry.asked.ids
        asset, made = await self._assets.put(entry.place, name, version, _read(body))
        return as_json(self._asset(entry.place, asset), 201 if made else 200)

    async def delete(self, entry: Entry, _: bytes) -> Reply:
        """Remove a version, if it is there."""
        name, version = entry.asked.ids
        await self._assets.delete(entry.place, name, version)
        return Reply(status=204, headers=[], body=b"")

    def _shown(self, entry: Entry, page: Page) -> Reply:
        shown: dict[str, object] = {"value": [self._asset(entry.place, each) for each in page.assets]}
        if page.next is not None:
            version = paths.parameter(entry.head, b"api-version") or ""
            shown["nextLink"] = paths.link(entry.head, {"api-version": version, "skipToken": page.next})
        return as_json(shown)

    def _asset(self, place: Place, asset: Asset) -> dict[str, object]:
        where = f"azureai://accounts/{place.resource}/projects/{place.project}"
        return {
            "id": f"{where}/{self._called}/{asset.name}/versions/{asset.version}",
            "name": asset.name,
            "version": asset.version,
            **self._also,
            **asset.members,
        }


def _start(head: Head) -> str | None:
    return paths.parameter(head, b"skiptoken") or None


def _read(body: bytes) -> dict[str, Any]:
    """The body. Raises `MalformedBody` or `InvalidField`."""
    if len(body) > LONGEST:
        raise InvalidField(f"The body has at most {LONGEST} bytes, and this one {len(body)}.")
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except UNREADABLE as error:
        raise unread(body, error) from None
