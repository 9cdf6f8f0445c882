"""Assets on every store: one writer makes a version, no change is lost, and what is deleted leaves nothing behind."""

import asyncio

import pytest

from forehearth.assets.family import DATASETS
from forehearth.assets.service import Assets
from forehearth.core.document import Query
from forehearth.core.errors import InvalidField, NotFound
from forehearth.core.place import Place
from forehearth.testing.clock import VirtualClock

HERE = Place(resource="here", project="sales")
FILE = {"type": "uri_file", "dataUri": "https://example.com/a", "description": "A \u0000 and a \U0001f600."}


@pytest.fixture
def assets(stores):
    return Assets(stores.documents, DATASETS, clock=VirtualClock(), page=2)


async def left(stores):
    pages = [await stores.documents.page(Query(place=HERE, kind=k, now=0.0)) for k in ("dataset", "dataset_version")]
    return tuple(map(len, pages))


async def test_of_many_who_write_a_version_at_once_one_makes_it_and_no_tag_is_lost(assets):
    patches = [FILE | {"tags": {str(number): "x"}} for number in range(20)]
    written = await asyncio.gather(*(assets.put(HERE, "a", "1", patch) for patch in patches))
    assert sum(made for _, made in written) == 1
    kept = await assets.get(HERE, "a", "1")
    assert kept.members == FILE | {"tags": dict.fromkeys(map(str, range(20)), "x")}


async def test_versions_that_are_made_and_deleted_at_once_are_in_the_lists_as_they_are_there(assets, stores):
    async def made_and_deleted(number):
        await assets.put(HERE, "a", str(number), FILE)
        await assets.delete(HERE, "a", str(number))

    await asyncio.gather(*map(made_and_deleted, range(8)), assets.put(HERE, "a", "stays", FILE))
    assert [each.version for each in (await assets.latest(HERE)).assets] == ["stays"]
    assert [each.version for each in (await assets.versions(HERE, "a")).assets] == ["stays"]
    assert await left(stores) == (1, 1)
    await assets.delete(HERE, "a", "stays")
    assert await left(stores) == (0, 0)


async def test_pages_begin_where_the_last_one_ended(assets):
    for number in range(5):
        await assets.put(HERE, "a", str(number), FILE)
        await assets.put(HERE, f"n{number}", "1", FILE)
    first = await assets.versions(HERE, "a")
    assert ([each.version for each in first.assets], first.next) == (["4", "3"], "2")
    second = await assets.versions(HERE, "a", first.next)
    assert ([each.version for each in second.assets], second.next) == (["2", "1"], "0")
    last = await assets.versions(HERE, "a", second.next)
    assert ([each.version for each in last.assets], last.next) == (["0"], None)
    names = await assets.latest(HERE)
    assert ([each.name for each in names.assets], names.next) == (["n4", "n3"], "n2")
    await assets.delete(HERE, "n2", "1")
    with pytest.raises(InvalidField):
        await assets.latest(HERE, names.next)


async def test_what_another_place_has_is_not_there(assets):
    await assets.put(HERE, "a", "1", FILE)
    for other in (Place(resource="other", project="sales"), Place(resource="here", project="other")):
        with pytest.raises(NotFound):
            await assets.get(other, "a", "1")
        assert (await assets.latest(other)).assets == (await assets.versions(other, "a")).assets == ()
        await assets.delete(other, "a", "1")
    assert (await assets.get(HERE, "a", "1")).members == FILE
