"""Conversations on a store in memory: who finds what, and in which order."""

import itertools

import msgspec
import pytest

from forehearth.conversations.items import Item, read_items
from forehearth.conversations.service import ITEM_KIND, Conversations
from forehearth.core.errors import Conflict, InvalidField, NotFound
from forehearth.core.place import Place
from forehearth.documents import parts
from forehearth.documents.repository import Order
from forehearth.stores.memory import MemoryDocuments
from forehearth.testing.clock import VirtualClock

HERE = Place(resource="here", project="default")
ELSEWHERE = [
    Place(resource="here"),
    Place(resource="here", project="sales"),
    Place(resource="there", project="default"),
]
LOTS = 10**9


@pytest.fixture
def talks():
    numbers = itertools.count(1)
    return Conversations(
        MemoryDocuments(), new_id=lambda prefix: f"{prefix}_{next(numbers)}", clock=VirtualClock(unix=1_800_000_000.5)
    )


def items(count, begin=0, size=1):
    return [Item(id=f"msg_{begin + number}", body=b'"%s"' % (b"x" * size)) for number in range(count)]


async def ids(talks, name, **order):
    return [each.id for each in (await talks.page(HERE, name, Order(**order))).items]


async def test_what_was_appended_is_read_in_its_order(talks):
    made = await talks.create(HERE, {"k": "v"}, items(3))
    await talks.append(HERE, made.id, items(60, 3))
    everything = await talks.everything(HERE, made.id, most_bytes=LOTS)
    assert everything == items(63)
    assert await ids(talks, made.id) == [f"msg_{number}" for number in range(62, 42, -1)]
    assert await ids(talks, made.id, limit=50, newest_first=False) == [f"msg_{number}" for number in range(50)]
    page = await talks.page(HERE, made.id, Order(limit=100, newest_first=False, after="msg_9"))
    assert ([each.id for each in page.items], page.has_more) == ([f"msg_{number}" for number in range(10, 63)], False)
    page = await talks.page(HERE, made.id, Order(limit=41, newest_first=False))
    assert (len(page.items), page.has_more) == (41, True)


async def test_a_page_ends_where_it_has_too_many_bytes(talks, monkeypatch):
    monkeypatch.setattr(parts, "PAGE_BYTES", 50)
    made = await talks.create(HERE, {}, items(45))
    seen, after, has_more = [], None, True
    while has_more:
        page = await talks.page(HERE, made.id, Order(limit=100, newest_first=False, after=after))
        assert len(page.items) <= parts.SLICE
        seen += page.items
        after, has_more = page.items[-1].id, page.has_more
    assert seen == items(45)


async def test_everything_is_bounded_by_who_reads_it(talks):
    made = await talks.create(HERE, {}, items(45))
    assert len(await talks.everything(HERE, made.id, most_bytes=45 * 3)) == 45
    with pytest.raises(InvalidField):
        await talks.everything(HERE, made.id, most_bytes=45 * 3 - 1)


async def test_an_id_that_is_taken_adds_nothing(talks):
    made, other = await talks.create(HERE, {}, items(1)), await talks.create(HERE, {})
    for name in (made.id, other.id):
        with pytest.raises(InvalidField, match="Duplicate item found with id msg_0"):
            await talks.append(HERE, name, [*items(2, 5), *items(1)])
    with pytest.raises(InvalidField):
        await talks.create(HERE, {}, items(1))
    assert await ids(talks, made.id) == ["msg_0"]
    assert await ids(talks, other.id) == []


@pytest.mark.parametrize("place", ELSEWHERE)
async def test_elsewhere_it_is_as_if_nobody_had_it(talks, place):
    made = await talks.create(HERE, {}, items(2))
    own = await talks.create(place, {}, items(1, 7))

    def acts(name, item):
        return [
            lambda: talks.get(place, name),
            lambda: talks.update(place, name, {}),
            lambda: talks.append(place, name, []),
            lambda: talks.everything(place, name, most_bytes=LOTS),
            lambda: talks.page(place, name),
            lambda: talks.item(place, name, item),
            lambda: talks.delete_item(place, name, item),
            lambda: talks.delete(place, name),
            lambda: talks.item(place, own.id, item),
            lambda: talks.delete_item(place, own.id, item),
            lambda: talks.page(place, own.id, Order(after=item)),
        ]

    for foreign, nobodys in zip(acts(made.id, "msg_0"), acts("conv_0", "msg_9"), strict=True):
        with pytest.raises((NotFound, InvalidField)) as first:
            await foreign()
        with pytest.raises(type(first.value)) as second:
            await nobodys()
        expected = second.value.message.replace("conv_0", made.id).replace("msg_9", "msg_0")
        assert (first.value.message, first.value.param) == (expected, second.value.param)
    await talks.append(place, own.id, items(1))  # the same id in another place is another item
    assert await ids(talks, made.id, newest_first=False) == ["msg_0", "msg_1"]


async def test_an_item_is_found_in_its_own_conversation_alone(talks):
    made, other = await talks.create(HERE, {}, items(2)), await talks.create(HERE, {}, items(1, 2))
    for act in (talks.item, talks.delete_item):
        with pytest.raises(NotFound, match="Item with id 'msg_2' not found in conversation"):
            await act(HERE, made.id, "msg_2")
    with pytest.raises(InvalidField, match="'after'"):
        await talks.page(HERE, made.id, Order(after="msg_2"))
    assert (await talks.item(HERE, other.id, "msg_2")).id == "msg_2"


async def test_an_item_is_removed_and_the_others_stay(talks):
    made = await talks.create(HERE, {"k": "v"}, items(3))
    assert await talks.delete_item(HERE, made.id, "msg_1") == made
    assert await ids(talks, made.id, newest_first=False) == ["msg_0", "msg_2"]
    with pytest.raises(NotFound):
        await talks.delete_item(HERE, made.id, "msg_1")


async def test_a_conversation_is_removed_and_its_items_stay_out_of_reach(talks):
    made, other = await talks.create(HERE, {}, items(1)), await talks.create(HERE, {})
    await talks.delete(HERE, made.id)
    for act in (talks.get(HERE, made.id), talks.item(HERE, made.id, "msg_0"), talks.delete(HERE, made.id)):
        with pytest.raises(NotFound, match=f"Conversation with id '{made.id}' not found"):
            await act
    with pytest.raises(InvalidField, match="Duplicate"):
        await talks.append(HERE, other.id, items(1))


async def test_metadata_is_put_in_the_place_of_what_was_there(talks):
    made = await talks.create(HERE, {"a": "1"}, items(1))
    changed = await talks.update(HERE, made.id, {"b": "2"})
    assert changed == msgspec.structs.replace(made, metadata={"b": "2"})
    assert await talks.get(HERE, made.id) == changed
    assert await ids(talks, made.id) == ["msg_0"]


async def test_an_item_that_goes_while_all_are_read_is_told(talks):
    """The next part begins behind the last one that was read; without it nobody knows where that is."""
    store = talks._items._store
    made = await talks.create(HERE, {}, items(45))
    page = store.page

    async def page_and_remove(query):
        found = await page(query)
        await store.delete(HERE, ITEM_KIND, "msg_19", query.now)
        return found

    store.page = page_and_remove
    with pytest.raises(Conflict, match="changed while it was read"):
        await talks.everything(HERE, made.id, most_bytes=LOTS)


async def test_items_that_were_read_from_a_request_are_kept_as_read(talks):
    read = read_items([{"role": "user", "content": "a"}], talks.new_id)
    made = await talks.create(HERE, {}, read)
    assert await talks.everything(HERE, made.id, most_bytes=LOTS) == read
