"""What every store of documents does, in memory or in a file, and the repository above it."""

import asyncio
import itertools

import msgspec
import pytest

from forehearth.core.document import Document, DocumentChanged, DocumentExists, Query
from forehearth.core.errors import Conflict, InvalidField, NotFound, PreconditionFailed
from forehearth.core.place import Place
from forehearth.documents.repository import Documents, Order
from forehearth.testing.clock import VirtualClock

HERE = Place(resource="here", project="default")
PLACES = [
    HERE,
    Place(resource="here"),
    Place(resource="here", project="sales"),
    Place(resource="there", project="default"),
]
NOW = 1_800_000_000.0


def document(name="a", place=HERE, kind="thing", **rest):
    given = {"created": NOW, "updated": NOW, "body": b'{"n": 1}'} | rest
    return Document(place=place, kind=kind, id=name, **given)


def query(**rest):
    return Query(**{"place": HERE, "kind": "thing", "now": NOW} | rest)


async def ids(store, **rest):
    return [each.id for each in await store.page(query(**rest))]


async def test_what_is_kept_comes_back_whole(stores):
    given = document(parent="p", metadata={"a": "1", 'odd " key': "ü"}, body=b'{"x": "\xc3\xbc"}', expires=NOW + 5)
    kept = await stores.documents.insert(given)
    assert kept.sequence > 0
    assert kept.etag
    assert await stores.documents.get(HERE, "thing", "a") == kept
    assert msgspec.structs.replace(kept, sequence=0, etag="") == given


async def test_an_id_is_taken_once_in_its_place_and_kind(stores):
    for place in PLACES:
        await stores.documents.insert(document(place=place))
    await stores.documents.insert(document(kind="other"))
    for place in PLACES:
        with pytest.raises(DocumentExists):
            await stores.documents.insert(document(place=place, body=b"{}"))
        assert (await stores.documents.get(place, "thing", "a")).body == b'{"n": 1}'


@pytest.mark.parametrize("place", PLACES[1:])
async def test_nothing_reaches_into_another_place(stores, place):
    await stores.documents.insert(document())
    assert await stores.documents.get(place, "thing", "a") is None
    assert await stores.documents.page(query(place=place)) == []
    assert await stores.documents.delete(place, "thing", "a") is False
    with pytest.raises(DocumentChanged):
        await stores.documents.replace(document(place=place, body=b"{}"), etag=None)
    assert await stores.documents.page(query(place=place, after="a")) == []
    assert (await stores.documents.get(HERE, "thing", "a")).body == b'{"n": 1}'


async def test_a_write_needs_the_etag_that_was_read(stores):
    first = await stores.documents.insert(document())
    second = await stores.documents.replace(msgspec.structs.replace(first, body=b"2"), etag=first.etag)
    assert (second.etag != first.etag, second.sequence, second.created) == (True, first.sequence, first.created)
    for stale in (first.etag, "99", "", "x", "-1"):
        with pytest.raises(DocumentChanged):
            await stores.documents.replace(msgspec.structs.replace(first, body=b"3"), etag=stale)
    assert (await stores.documents.replace(msgspec.structs.replace(first, body=b"4"), etag=None)).body == b"4"


async def test_of_many_who_read_the_same_one_may_write(stores):
    first = await stores.documents.insert(document())

    async def write(number):
        try:
            return await stores.documents.replace(msgspec.structs.replace(first, body=b"%d" % number), etag=first.etag)
        except DocumentChanged:
            return None

    written = [each for each in await asyncio.gather(*map(write, range(50))) if each is not None]
    assert len(written) == 1
    assert await stores.documents.get(HERE, "thing", "a") == written[0]


async def test_deleted_is_gone_and_its_id_is_free(stores):
    first = await stores.documents.insert(document())
    assert await stores.documents.delete(HERE, "thing", "a") is True
    assert await stores.documents.delete(HERE, "thing", "a") is False
    assert await stores.documents.get(HERE, "thing", "a") is None
    assert (await stores.documents.insert(document())).sequence > first.sequence


async def test_pages_go_either_way_and_meet(stores):
    for number in range(7):
        await stores.documents.insert(document(f"d{number}", parent="odd" if number % 2 else "even"))
    every = [f"d{number}" for number in range(7)]
    assert await ids(stores.documents, newest_first=False) == every
    assert await ids(stores.documents) == every[::-1]
    assert await ids(stores.documents, newest_first=False, after="d2", limit=2) == ["d3", "d4", "d5"]
    assert await ids(stores.documents, after="d4", limit=2) == ["d3", "d2", "d1"]
    assert await ids(stores.documents, newest_first=False, before="d4", limit=2) == ["d1", "d2", "d3"]
    assert await ids(stores.documents, before="d2", limit=2) == ["d5", "d4", "d3"]
    assert await ids(stores.documents, newest_first=False, after="d1", before="d4") == ["d2", "d3"]
    assert await ids(stores.documents, newest_first=False, parent="odd") == ["d1", "d3", "d5"]
    assert await ids(stores.documents, after="no such") == []
    assert await ids(stores.documents, before="no such") == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [({}, "abc"), ({"k": "1"}, "ab"), ({"k": "1", "l": "2"}, "b"), ({"k": "9"}, ""), ({"'; --": "1"}, "")],
)
async def test_metadata_chooses(stores, wanted, found):
    await stores.documents.insert(document("a", metadata={"k": "1"}))
    await stores.documents.insert(document("b", metadata={"k": "1", "l": "2"}))
    await stores.documents.insert(document("c", metadata={'"': "1"}))
    assert await ids(stores.documents, metadata=wanted, newest_first=False) == list(found)


async def test_expired_ones_are_left_out_and_then_removed(stores):
    await stores.documents.insert(document("soon", expires=NOW + 10))
    await stores.documents.insert(document("later", expires=NOW + 20))
    await stores.documents.insert(document("never"))
    assert await ids(stores.documents, now=NOW + 10, newest_first=False) == ["later", "never"]
    assert await stores.documents.remove_expired(NOW + 10, 100) == 1
    assert await stores.documents.get(HERE, "thing", "soon") is None
    assert await stores.documents.remove_expired(NOW + 30, 100) == 1


async def test_every_write_of_a_kind_moves_its_version_and_no_others(stores):
    seen = [await stores.documents.version("thing")]
    first = await stores.documents.insert(document())
    seen.append(await stores.documents.version("thing"))
    await stores.documents.replace(first, etag=None)
    seen.append(await stores.documents.version("thing"))
    await stores.documents.delete(HERE, "thing", "a")
    seen.append(await stores.documents.version("thing"))
    assert seen == sorted(set(seen))
    with pytest.raises(DocumentChanged):
        await stores.documents.replace(first, etag=None)
    assert await stores.documents.version("thing") == seen[-1]
    assert await stores.documents.version("other") == 0


async def test_all_places_are_seen_by_the_server_itself(stores):
    for place in PLACES:
        await stores.documents.insert(document(place=place))
    await stores.documents.insert(document(kind="other"))
    assert [each.place for each in await stores.documents.of_all_places("thing")] == PLACES


@pytest.fixture
def things(stores):
    numbers = itertools.count(1)
    clock = VirtualClock(unix=NOW)
    made = Documents(stores.documents, "thing", new_id=lambda: f"thing_{next(numbers)}", clock=clock)
    made.clock = clock
    return made


async def test_a_foreign_id_is_answered_as_one_that_nobody_has(things):
    kept = await things.create(HERE, b"{}")
    for place in PLACES[1:]:
        for act in (things.get, things.delete):
            with pytest.raises(NotFound) as foreign:
                await act(place, kept.id)
            with pytest.raises(NotFound) as nobodys:
                await act(place, "thing_0")
            assert foreign.value.message == nobodys.value.message.replace("thing_0", kept.id)
        with pytest.raises(NotFound):
            await things.update(msgspec.structs.replace(kept, place=place))
    assert (await things.get(HERE, kept.id)) == kept


async def test_the_repository_pages_as_the_service_does(things):
    for _ in range(5):
        await things.create(HERE, b"{}")
    page = await things.list(HERE, Order(limit=2))
    assert ([each.id for each in page.documents], page.first_id, page.last_id, page.has_more) == (
        ["thing_5", "thing_4"],
        "thing_5",
        "thing_4",
        True,
    )
    page = await things.list(HERE, Order(limit=4, after="thing_4"))
    assert ([each.id for each in page.documents], page.has_more) == (["thing_3", "thing_2", "thing_1"], False)
    page = await things.list(HERE, Order(limit=2, before="thing_2"))
    assert ([each.id for each in page.documents], page.has_more) == (["thing_4", "thing_3"], True)
    for limit in (0, 101, -1):
        with pytest.raises(InvalidField):
            await things.list(HERE, Order(limit=limit))


async def test_the_repository_says_what_was_wrong(things):
    kept = await things.create(HERE, b"{}", id="mine")
    with pytest.raises(Conflict):
        await things.create(HERE, b"{}", id="mine")
    newer = await things.update(msgspec.structs.replace(kept, body=b"2"), etag=kept.etag)
    with pytest.raises(PreconditionFailed):
        await things.update(msgspec.structs.replace(kept, body=b"3"), etag=kept.etag)
    await things.delete(HERE, "mine")
    with pytest.raises(NotFound):
        await things.update(newer)


async def test_what_expires_is_gone_at_once_and_swept_later(things):
    kept = await things.create(HERE, b"{}", expires=NOW + 10)
    assert await things.get(HERE, kept.id)
    await things.clock.advance(10)
    for act in (things.get, things.delete):
        with pytest.raises(NotFound):
            await act(HERE, kept.id)
    assert (await things.list(HERE)).documents == ()
    assert await things.sweep() == 1
