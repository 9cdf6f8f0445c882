"""Assets that several write at the same time: whatever comes in between, lists and versions say the same."""

import pytest

from forehearth.assets.family import DATASETS
from forehearth.assets.service import Assets
from forehearth.core.document import Query
from forehearth.core.errors import Conflict, NotFound
from forehearth.core.place import Place
from forehearth.stores.memory import MemoryDocuments
from forehearth.testing.clock import VirtualClock

HERE = Place(resource="here", project="sales")
FILE = {"type": "uri_file", "dataUri": "https://example.com/a"}


class Interrupted(MemoryDocuments):
    """A store at which somebody else comes first: `between` is called before one sort of writing."""

    def __init__(self, what, kind, *, times=1):
        super().__init__()
        self.what, self.kind, self.times = what, kind, times
        self.between = None

    async def _before(self, what, kind):
        if self.between is not None and self.times and (what, kind) == (self.what, self.kind):
            self.times -= 1
            between, self.between = self.between, None
            await between()
            self.between = between

    async def insert(self, document):
        await self._before("insert", document.kind)
        return await super().insert(document)

    async def replace(self, document, *, etag):
        await self._before("replace", document.kind)
        return await super().replace(document, etag=etag)

    async def delete(self, place, kind, *given, etag):
        await self._before("delete", kind)
        return await super().delete(place, kind, *given, etag=etag)


def made(what, kind, **rest):
    store = Interrupted(what, kind, **rest)
    return store, Assets(store, DATASETS, clock=VirtualClock())


async def there(assets):
    """What is there, by both lists and by asking."""
    latest = [each.version for each in (await assets.latest(HERE)).assets]
    versions = [each.version for each in (await assets.versions(HERE, "a")).assets]
    assert latest == versions[:1]
    for version in versions:
        await assets.get(HERE, "a", version)
    return versions


async def kept(store):
    pages = [await store.page(Query(place=HERE, kind=kind, now=0.0)) for kind in ("dataset", "dataset_version")]
    return tuple(map(len, pages))


async def test_a_name_that_is_deleted_before_its_version_is_written_comes_back():
    store, assets = made("insert", "dataset_version")
    store.between = lambda: assets.delete(HERE, "a", "other")
    await assets.put(HERE, "a", "1", FILE)
    assert await there(assets) == ["1"]


async def test_a_name_that_is_deleted_after_its_version_was_written_comes_back():
    store, assets = made("replace", "dataset")

    async def forget():
        document = await store.get(HERE, "dataset", "a")
        await MemoryDocuments.delete(store, HERE, "dataset", "a", 0.0, etag=document.etag)

    store.between = forget
    await assets.put(HERE, "a", "1", FILE)
    assert await there(assets) == ["1"]


async def test_a_name_that_got_a_version_meanwhile_is_not_deleted():
    store, assets = made("delete", "dataset")
    await assets.put(HERE, "a", "1", FILE)
    store.between = lambda: assets.put(HERE, "a", "2", FILE)
    await assets.delete(HERE, "a", "1")
    assert await there(assets) == ["2"]


async def test_a_version_that_somebody_made_first_is_changed():
    store, assets = made("insert", "dataset_version")
    store.between = lambda: assets.put(HERE, "a", "1", FILE | {"tags": {"theirs": "x"}})
    asset, new = await assets.put(HERE, "a", "1", FILE | {"tags": {"ours": "x"}})
    assert (new, asset.members["tags"]) == (False, {"theirs": "x", "ours": "x"})


async def test_a_version_that_is_deleted_while_it_is_changed_is_made_again():
    store, assets = made("replace", "dataset_version")
    await assets.put(HERE, "a", "1", FILE | {"tags": {"old": "x"}})
    store.between = lambda: assets.delete(HERE, "a", "1")
    asset, new = await assets.put(HERE, "a", "1", FILE | {"tags": {"new": "x"}})
    assert (new, asset.members["tags"]) == (True, {"new": "x"})
    assert await there(assets) == ["1"]


async def test_a_name_without_a_version_is_in_no_list_and_goes_with_the_next_deletion():
    store, assets = made("", "")
    await assets.put(HERE, "a", "1", FILE)
    for document in await store.page(Query(place=HERE, kind="dataset_version", now=0.0)):
        await store.delete(HERE, "dataset_version", document.id, 0.0, etag=document.etag)
    assert await kept(store) == (1, 0)
    assert await there(assets) == []
    await assets.delete(HERE, "a", "1")
    assert await kept(store) == (0, 0)


async def test_whoever_never_comes_to_write_is_told_so():
    store, assets = made("replace", "dataset_version", times=1_000)
    await assets.put(HERE, "a", "1", FILE)
    counts = iter(range(1_000))
    store.between = lambda: assets.put(HERE, "a", "1", {"description": str(next(counts))})
    with pytest.raises(Conflict, match="being changed by others"):
        await assets.put(HERE, "a", "1", {"tags": {"ours": "x"}})
    assert "tags" not in (await assets.get(HERE, "a", "1")).members


async def test_what_changes_nothing_writes_nothing():
    store, assets = made("", "")
    await assets.put(HERE, "a", "1", FILE | {"more": 1})
    [before] = await store.page(Query(place=HERE, kind="dataset_version", now=0.0))
    await assets.put(HERE, "a", "1", FILE)
    [same] = await store.page(Query(place=HERE, kind="dataset_version", now=0.0))
    assert same.etag == before.etag
    await assets.put(HERE, "a", "1", {"more": True})
    assert (await assets.get(HERE, "a", "1")).members["more"] is True


async def test_a_version_that_is_not_there_is_named():
    _, assets = made("", "")
    with pytest.raises(NotFound, match="There is no version '1' of the dataset 'a'"):
        await assets.get(HERE, "a", "1")
