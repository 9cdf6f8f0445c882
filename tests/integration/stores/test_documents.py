"""What every store of documents does, wherever it keeps them, and the repository above it."""

import asyncio
import itertools

import msgspec
import pytest

from forehearth.core.document import CursorLost, Document, DocumentChanged, DocumentExists, Query
from forehearth.core.errors import Conflict, InvalidField, NotFound, PreconditionFailed
from forehearth.core.place import Place
from forehearth.documents.repository import LONGEST_ID, Documents, New, Order
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
    odd = {"a": "1", 'odd " key': "ü", "": "", ":name $1": "%s \\ \u2028 \U0001f600"}
    given = document(":id $1 'ü", parent="p" * LONGEST_ID, metadata=odd, body=bytes(range(256)), expires=NOW + 5.25)
    kept = await stores.documents.insert(given)
    assert kept.sequence > 0
    assert kept.etag
    assert await stores.documents.get(HERE, "thing", given.id) == kept
    assert msgspec.structs.replace(kept, sequence=0, etag="") == given


async def test_the_longest_ids_are_kept_and_told_apart(stores):
    """Four bytes a character, none like the next: indexes have an end."""
    long = "".join(chr(0x20000 + 7 * number) for number in range(LONGEST_ID))
    place = Place(resource="r" * 63, project="p" * 128, agent="a" * 128)
    kept = await stores.documents.insert(document(long, place, parent=long))
    assert await stores.documents.get(place, "thing", long) == kept
    assert await stores.documents.get(place, "thing", long[:-1] + "x") is None
    assert await ids(stores.documents, place=place, parent=long) == [long]


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
    assert await stores.documents.delete(place, "thing", "a", NOW) is False
    with pytest.raises(DocumentChanged):
        await stores.documents.replace(document(place=place, body=b"{}"), etag=None)
    with pytest.raises(CursorLost):
        await stores.documents.page(query(place=place, after="a"))
    assert (await stores.documents.get(HERE, "thing", "a")).body == b'{"n": 1}'


async def test_a_write_needs_the_etag_that_was_read(stores):
    first = await stores.documents.insert(document())
    second = await stores.documents.replace(msgspec.structs.replace(first, body=b"2"), etag=first.etag)
    assert (second.etag != first.etag, second.sequence, second.created) == (True, first.sequence, first.created)
    for stale in (first.etag, "99", "", "x", "-1", f"{second.etag} ", f"0{second.etag}"):
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
    assert await stores.documents.delete(HERE, "thing", "a", NOW) is True
    assert await stores.documents.delete(HERE, "thing", "a", NOW) is False
    assert await stores.documents.get(HERE, "thing", "a") is None
    assert (await stores.documents.insert(document())).sequence > first.sequence


async def test_no_etag_comes_twice(stores):
    """An id that was removed and made again is another document: who read the first may not write the second."""
    seen = []
    for _ in range(3):
        kept = await stores.documents.insert(document())
        seen.append(kept.etag)
        for _ in range(3):
            kept = await stores.documents.replace(kept, etag=kept.etag)
            seen.append(kept.etag)
        await stores.documents.delete(HERE, "thing", "a", NOW)
    assert len(set(seen)) == len(seen)


async def test_a_removal_may_need_the_etag_that_was_read(stores):
    first = await stores.documents.insert(document())
    second = await stores.documents.replace(first, etag=None)
    for stale in (first.etag, "", "x"):
        assert await stores.documents.delete(HERE, "thing", "a", NOW, etag=stale) is False
    assert await stores.documents.get(HERE, "thing", "a") == second
    assert await stores.documents.delete(HERE, "thing", "a", NOW, etag=second.etag) is True
    assert await stores.documents.get(HERE, "thing", "a") is None


async def test_what_has_expired_gives_way_to_a_new_one_of_its_id(stores):
    first = await stores.documents.insert(document(expires=NOW + 10, metadata={"k": "1"}, parent="p"))
    await stores.documents.insert(document("b"))
    with pytest.raises(DocumentExists):
        await stores.documents.insert(document(created=NOW + 9.75))
    version = await stores.documents.version("thing")
    second = await stores.documents.insert(document(created=NOW + 10, body=b"2"))
    assert second.sequence > first.sequence
    assert second.etag != first.etag
    assert await stores.documents.get(HERE, "thing", "a") == second
    assert await ids(stores.documents, newest_first=False, now=NOW + 11) == ["b", "a"]
    assert [each.id for each in await stores.documents.of_all_places("thing")] == ["b", "a"]
    assert await stores.documents.version("thing") > version
    with pytest.raises(DocumentChanged):
        await stores.documents.replace(first, etag=first.etag)


async def test_of_many_who_make_the_same_one_does(stores):
    await stores.documents.insert(document(expires=NOW))

    async def make(number):
        try:
            return await stores.documents.insert(document(body=b"%d" % number))
        except DocumentExists:
            return None

    made = [each for each in await asyncio.gather(*map(make, range(50))) if each is not None]
    assert len(made) == 1
    assert await stores.documents.get(HERE, "thing", "a") == made[0]


async def test_many_are_kept_in_their_order_and_at_once(stores):
    before = await stores.documents.insert(document("a"))
    version = await stores.documents.version("thing")
    odd = {"metadata": {"k": "ü"}, "expires": NOW + 5.25, "body": bytes(range(256)), "parent": "p"}
    given = [document("z", **odd), *(document(f"d{number}", parent="p") for number in range(20)), document("b")]
    kept = await stores.documents.insert_many(given)
    assert [msgspec.structs.replace(each, sequence=0, etag="") for each in kept] == given
    assert [each.sequence for each in kept] == sorted({each.sequence for each in kept})
    assert kept[0].sequence > before.sequence
    assert len({each.etag for each in kept}) == len(kept)
    for each in kept:
        assert await stores.documents.get(HERE, "thing", each.id) == each
    assert await ids(stores.documents, newest_first=False, limit=90) == ["a", *(each.id for each in given)]
    assert await stores.documents.version("thing") > version
    assert await stores.documents.insert_many([]) == []


@pytest.mark.parametrize("names", [["a", "b", "c"], ["b", "c", "a"], ["b", "a", "c"], ["a"], ["b", "c", "b"]])
async def test_where_one_of_many_is_taken_none_is_kept(stores, names):
    first = await stores.documents.insert(document("a"))
    version = await stores.documents.version("thing")
    with pytest.raises(DocumentExists):
        await stores.documents.insert_many([document(name, body=b"2") for name in names])
    assert await stores.documents.of_all_places("thing") == [first]
    assert await stores.documents.version("thing") == version
    assert [each.id for each in await stores.documents.insert_many([document("b"), document("c")])] == ["b", "c"]


async def test_what_has_expired_gives_way_to_one_of_many(stores):
    first = await stores.documents.insert(document("a", expires=NOW))
    kept = await stores.documents.insert_many([document("b"), document("a", body=b"2")])
    assert (kept[1].sequence > kept[0].sequence > first.sequence, kept[1].etag != first.etag) == (True, True)
    assert await stores.documents.of_all_places("thing") == kept


async def test_of_those_who_keep_many_at_once_each_has_all_or_none(stores):
    """Each wants one id that the others want, too, and readers in between see whole batches alone."""

    async def make(number):
        try:
            return await stores.documents.insert_many(
                [*(document(f"{number}-{place}", parent=str(number)) for place in range(9)), document("shared")]
            )
        except DocumentExists:
            return []

    async def look():
        return [len(await stores.documents.page(query(parent=str(number), limit=20))) for number in range(8)]

    *made, first, second = await asyncio.gather(*map(make, range(8)), look(), look())
    assert sorted(map(len, made)) == [*[0] * 7, 10]
    assert {*first, *second} <= {0, 9}
    assert len(await stores.documents.of_all_places("thing")) == 10


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
    assert await ids(stores.documents, parent="even", after="d5", before="d0") == ["d4", "d2"]
    assert await ids(stores.documents, parent="") == []
    await stores.documents.insert(document("alone"))
    assert await ids(stores.documents, parent="") == ["alone"]


@pytest.mark.parametrize("bound", ["after", "before"])
async def test_a_page_from_nowhere_is_no_empty_page(stores, bound):
    """Whoever reads on behind a document that was removed meanwhile would take that for the end."""
    for name in "abc":
        await stores.documents.insert(document(name))
    await stores.documents.delete(HERE, "thing", "b", NOW)
    for name in ("b", "no such"):
        with pytest.raises(CursorLost) as lost:
            await ids(stores.documents, **{bound: name})
        assert lost.value.bound == bound


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


async def test_the_longest_gone_are_removed_first_and_counted(stores):
    for name, seconds in (("a", 3), ("b", 1), ("c", 2)):
        await stores.documents.insert(document(name, expires=NOW + seconds))
    await stores.documents.insert(document("d", kind="other", expires=NOW))
    seen = [await stores.documents.version(kind) for kind in ("thing", "other")]
    assert await stores.documents.remove_expired(NOW + 9, 3) == 3
    assert await ids(stores.documents, now=NOW) == ["a"]
    assert all([await stores.documents.version(kind) > seen.pop(0) for kind in ("thing", "other")])


async def test_two_who_sweep_at_once_count_each_once(stores):
    for number in range(100):
        await stores.documents.insert(document(f"d{number}", expires=NOW))
    counts = await asyncio.gather(*(stores.documents.remove_expired(NOW, 40) for _ in range(4)))
    counts.append(await stores.documents.remove_expired(NOW, 100))
    assert sum(counts) == 100
    assert await stores.documents.of_all_places("thing") == []


async def test_every_write_of_a_kind_moves_its_version_and_no_others(stores):
    seen = [await stores.documents.version("thing")]
    first = await stores.documents.insert(document())
    seen.append(await stores.documents.version("thing"))
    await stores.documents.replace(first, etag=None)
    seen.append(await stores.documents.version("thing"))
    await stores.documents.delete(HERE, "thing", "a", NOW)
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


async def test_the_repository_keeps_many_or_says_which_is_taken(things):
    made = await things.create_many(HERE, [New(body=b"1"), New(body=b"2", id="mine"), New(body=b"3")], parent="p")
    assert [(each.id, each.body, each.parent) for each in made] == [
        ("thing_1", b"1", "p"),
        ("mine", b"2", "p"),
        ("thing_2", b"3", "p"),
    ]
    for taken in ([New(body=b"4"), New(body=b"5", id="mine")], [New(body=b"4", id="new"), New(body=b"5", id="new")]):
        with pytest.raises(Conflict):
            await things.create_many(HERE, taken)
    with pytest.raises(InvalidField):
        await things.create_many(HERE, [New(body=b"4"), New(body=b"5", id="\0")])
    assert len((await things.list(HERE)).documents) == 3


async def test_the_repository_removes_only_what_was_read(things):
    kept = await things.create(HERE, b"{}")
    newer = await things.update(kept)
    with pytest.raises(PreconditionFailed):
        await things.delete(HERE, kept.id, etag=kept.etag)
    await things.delete(HERE, kept.id, etag=newer.etag)
    with pytest.raises(NotFound):
        await things.delete(HERE, kept.id, etag=newer.etag)


@pytest.mark.parametrize("bound", ["after", "before"])
@pytest.mark.parametrize("cursor", ["thing_0", "thing_1", "a\0b", "\ud800", "x" * (LONGEST_ID + 1)])
async def test_the_repository_says_that_a_page_begins_nowhere(things, bound, cursor):
    await things.create(Place(resource="there"), b"{}", id="thing_1")
    with pytest.raises(InvalidField) as wrong:
        await things.list(HERE, Order(**{bound: cursor}))
    assert (wrong.value.param, wrong.value.message) == (bound, f"'{bound}' is not the id of a thing in this list.")


NOT_KEPT = ["a\0b", "\ud800", "\udfff!"]


@pytest.mark.parametrize("text", [*NOT_KEPT, "x" * (LONGEST_ID + 1)])
async def test_ids_that_no_store_keeps_are_refused_and_nobodys(things, text):
    for name in ("id", "parent"):
        with pytest.raises(InvalidField) as wrong:
            await things.create(HERE, b"{}", **{name: text})
        assert wrong.value.param == name
    for act in (things.get, things.delete):
        with pytest.raises(NotFound) as missing:
            await act(HERE, text)
        assert len(missing.value.message.encode()) < LONGEST_ID + 50
    kept = await things.create(HERE, b"{}")
    with pytest.raises(InvalidField):
        await things.update(msgspec.structs.replace(kept, parent=text))
    assert (await things.list(HERE, parent=text)).documents == ()


@pytest.mark.parametrize("text", NOT_KEPT)
@pytest.mark.parametrize("make", [lambda text: {text: "v"}, lambda text: {"k": text}])
async def test_metadata_that_no_store_keeps_is_refused_and_found_nowhere(things, text, make):
    with pytest.raises(InvalidField, match="metadata"):
        await things.create(HERE, b"{}", metadata=make(text))
    kept = await things.create(HERE, b"{}")
    with pytest.raises(InvalidField, match="metadata"):
        await things.update(msgspec.structs.replace(kept, metadata=make(text)))
    assert (await things.list(HERE, metadata=make(text))).documents == ()


async def test_an_id_whose_document_has_expired_is_free(things):
    first = await things.create(HERE, b"1", id="mine", expires=NOW + 10)
    await things.clock.advance(10)
    second = await things.create(HERE, b"2", id="mine")
    assert second.etag != first.etag
    assert (await things.get(HERE, "mine")).body == b"2"


async def test_what_expires_is_gone_at_once_and_swept_later(things):
    kept = await things.create(HERE, b"{}", expires=NOW + 10)
    assert await things.get(HERE, kept.id)
    await things.clock.advance(10)
    for act in (things.get, things.delete):
        with pytest.raises(NotFound):
            await act(HERE, kept.id)
    for etag in (None, kept.etag):
        with pytest.raises(NotFound):
            await things.update(msgspec.structs.replace(kept, expires=NOW + 99), etag=etag)
    assert (await things.list(HERE)).documents == ()
    assert await things.sweep() == 1


async def test_whoever_operates_the_server_finds_responses_in_all_places(stores):
    for name, place in (("a", HERE), ("b", HERE), ("a", PLACES[2]), ("a", PLACES[3])):
        kind = "thread_run" if name == "b" else "response"
        await stores.documents.insert(document(name, place, kind=kind))
    await stores.documents.insert(document("old", kind="response", expires=NOW))
    await stores.documents.insert(document("a"))
    newest, second = await stores.documents.runs_before("here", None, NOW, 2)
    (third,) = await stores.documents.runs_before("here", second.sequence, NOW, 2)
    found = [(each.id, each.place) for each in (newest, second, third)]
    assert found == [("a", PLACES[2]), ("b", HERE), ("a", HERE)]
    assert await stores.documents.runs_before("here", third.sequence, NOW, 2) == []
    assert await stores.documents.runs("here", "a", NOW) == [newest, third]
    assert await stores.documents.runs("here", "old", NOW) == []
    assert await stores.documents.runs("nowhere", "a", NOW) == []
