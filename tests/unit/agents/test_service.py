"""Agents and their versions: what is there after what was done, also by several at the same time."""

import asyncio
import itertools
import json

import msgspec
import pytest

from forehearth.agents.records import NewVersion
from forehearth.agents.service import Agents
from forehearth.core.document import Query
from forehearth.core.errors import Conflict, InvalidField, NotFound
from forehearth.core.place import Place
from forehearth.documents.repository import Order
from forehearth.stores.memory import MemoryDocuments
from forehearth.testing.clock import VirtualClock

HERE = Place(resource="here", project="sales")


class SlowDocuments(MemoryDocuments):
    """Lets everybody else go on before each thing that it does, as a store on a disk would."""

    async def insert(self, document):
        await asyncio.sleep(0)
        return await super().insert(document)

    async def get(self, *given):
        await asyncio.sleep(0)
        return await super().get(*given)

    async def replace(self, document, *, etag):
        await asyncio.sleep(0)
        return await super().replace(document, etag=etag)

    async def delete(self, *given, etag=None):
        await asyncio.sleep(0)
        return await super().delete(*given, etag=etag)


@pytest.fixture
def store():
    return SlowDocuments()


@pytest.fixture
def agents(store):
    numbers = itertools.count()
    return Agents(store, clock=VirtualClock(), new_id=lambda: f"guid-{next(numbers)}")


def new(instructions="Be brief.", **rest):
    raw = json.dumps({"kind": "prompt", "model": "chat", "instructions": instructions}).encode()
    return NewVersion(definition=msgspec.Raw(raw), **rest)


async def numbers(agents, name="a", **order):
    found = await agents.versions(HERE, name, Order(limit=100, **order))
    return [each.number for each in found.versions]


async def kept(store, kind):
    found = await store.page(Query(place=HERE, kind=kind, now=0.0, limit=10_000))
    return [each.id for each in found]


async def test_the_latest_version_is_the_one_written_last(agents):
    await agents.create(HERE, "a", new("one"))
    _, second = await agents.create_version(HERE, "a", new("two", description="The second.", metadata={"k": "v"}))
    assert (second.number, (await agents.get(HERE, "a")).record.latest) == (2, second)
    assert await numbers(agents) == [2, 1]
    found = await agents.resolve(HERE, "a")
    assert (found.id, found.definition.instructions, found.description) == ("a:2", "two", "The second.")
    assert (await agents.resolve(HERE, "a", "1")).definition.instructions == "one"


async def test_what_the_latest_says_already_is_no_new_version(agents):
    await agents.create_version(HERE, "a", new("one"))
    again = NewVersion(definition=msgspec.Raw(b' {"instructions":"one", "model":"chat","kind":"prompt"} '))
    assert (await agents.create_version(HERE, "a", again))[1].number == 1
    assert (await agents.create_version(HERE, "a", new("one", description="Other.")))[1].number == 2
    assert (await agents.create_version(HERE, "a", new("one")))[1].number == 3
    assert await numbers(agents) == [3, 2, 1]


async def test_a_name_is_given_once(agents, store):
    await agents.create(HERE, "a", new())
    with pytest.raises(Conflict):
        await agents.create(HERE, "a", new("other"))
    assert len(await kept(store, "agent_version")) == 1
    with pytest.raises(NotFound):
        await agents.update(HERE, "b", new())


async def test_numbers_are_not_given_again(agents):
    for text in ("one", "two", "three"):
        await agents.create_version(HERE, "a", new(text))
    await agents.delete_version(HERE, "a", "3")
    assert (await agents.get(HERE, "a")).record.latest.number == 2
    assert (await agents.create_version(HERE, "a", new("four")))[1].number == 4
    await agents.delete_version(HERE, "a", "1")
    assert await numbers(agents) == [4, 2]
    assert (await agents.resolve(HERE, "a")).version == "4"


async def test_with_its_last_version_an_agent_is_gone(agents, store):
    await agents.create_version(HERE, "a", new("one"))
    await agents.delete_version(HERE, "a", "1")
    with pytest.raises(NotFound):
        await agents.get(HERE, "a")
    assert (await kept(store, "agent"), await kept(store, "agent_version")) == ([], [])


async def test_a_new_agent_of_an_old_name_has_nothing_of_the_old_one(agents, store):
    for text in map(str, range(150)):
        await agents.create_version(HERE, "a", new(text))
    await agents.delete(HERE, "a")
    assert await kept(store, "agent_version") == []
    await agents.create_version(HERE, "a", new("new"))
    assert await numbers(agents) == [1]


@pytest.mark.parametrize("version", ["2", "0", "01", "-1", "latest", "", "1:1", "9" * 40, "\u0661"])
async def test_a_version_that_is_not_there(agents, version):
    await agents.create_version(HERE, "a", new())
    for asked in (agents.get_version, agents.resolve, agents.delete_version):
        with pytest.raises(NotFound, match="There is no version"):
            await asked(HERE, "a", version)


async def test_a_disabled_agent_is_not_used_until_it_is_enabled(agents):
    await agents.create(HERE, "a", new())
    await agents.enable(HERE, "a", enabled=False)
    await agents.enable(HERE, "a", enabled=False)
    for version in (None, "1"):
        with pytest.raises(Conflict, match="disabled"):
            await agents.resolve(HERE, "a", version)
    assert (await agents.update(HERE, "a", new("two")))[0].record.enabled is False
    await agents.enable(HERE, "a", enabled=True)
    assert (await agents.resolve(HERE, "a")).version == "2"


@pytest.mark.parametrize("place", [Place(resource="other", project="sales"), Place(resource="here", project="default")])
async def test_elsewhere_it_is_not_there(agents, place):
    await agents.create(HERE, "a", new())
    said = []
    for where, name in ((place, "a"), (HERE, "b")):
        with pytest.raises(NotFound) as missing:
            await agents.resolve(where, name)
        said.append(missing.value.message.replace(f"'{name}'", "'x'"))
    assert said[0] == said[1]
    assert (await agents.page(place)).agents == ()
    found = await agents.resolve(Place(resource="here", project="sales", agent="a"), "a")
    assert found.name == "a"


async def test_pages_go_both_ways_by_the_ids_that_callers_see(agents):
    for text in ("one", "two", "three"):
        await agents.create_version(HERE, "a", new(text))
        await agents.create_version(HERE, f"b{text}", new(text))
    assert await numbers(agents, after="a:2") == [1]
    assert await numbers(agents, newest_first=False, after="a:1", before="a:3") == [2]
    page = await agents.page(HERE, Order(limit=2, after="bthree"))
    assert ([each.name for each in page.agents], page.has_more) == (["btwo", "bone"], True)
    for cursor in ("a:9", "b:1", "a", "guid-0:", "guid-1:1"):
        with pytest.raises(InvalidField):
            await numbers(agents, after=cursor)


async def test_versions_that_are_written_at_once_are_all_there(agents):
    made = await asyncio.gather(*(agents.create_version(HERE, "a", new(str(n))) for n in range(20)))
    given = sorted(record.number for _, record in made)
    assert len(set(given)) == 20
    assert sorted(await numbers(agents)) == given
    agent = await agents.get(HERE, "a")
    assert agent.record.latest.number == agent.record.last_number == given[-1]


async def test_what_is_deleted_while_others_write_leaves_nothing_half(agents, store):
    await agents.create_version(HERE, "a", new("first"))
    work = [agents.create_version(HERE, "a", new(str(n))) for n in range(10)]
    work += [agents.delete(HERE, "a") for _ in range(3)]
    done = await asyncio.gather(*work, return_exceptions=True)
    assert all(isinstance(each, tuple | NotFound) or each is None for each in done), done
    there = await kept(store, "agent")
    versions = await kept(store, "agent_version")
    if there:
        guid = (await agents.get(HERE, "a")).record.guid
        assert (await agents.get(HERE, "a")).record.latest.number in await numbers(agents)
        assert all(each.startswith(f"{guid}:") for each in versions)
    else:
        assert versions == []


async def test_what_a_stopped_server_left_behind_does_not_stand_in_the_way(agents, store):
    await agents.create_version(HERE, "a", new("one"))
    record = (await agents.get(HERE, "a")).record
    await agents._keep(HERE, record.guid, agents._version(2, new("never published")))
    assert (await agents.create_version(HERE, "a", new("two")))[1].number == 3
    assert (await agents.resolve(HERE, "a")).version == "3"
