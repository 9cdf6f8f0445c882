"""Agents on every store: what is written at the same time is all there, and what is deleted leaves nothing behind."""

import asyncio
import uuid

import msgspec
import pytest

from forehearth.agents.records import NewVersion
from forehearth.agents.service import Agents
from forehearth.core.document import Query
from forehearth.core.errors import InvalidField, NotFound
from forehearth.core.place import Place
from forehearth.documents.repository import Order
from forehearth.testing.clock import VirtualClock

HERE = Place(resource="here", project="sales")
ALL = Order(limit=100)


def new(text):
    return NewVersion(
        definition=msgspec.Raw(msgspec.json.encode({"kind": "prompt", "model": "m", "instructions": text}))
    )


@pytest.fixture
def agents(stores):
    return Agents(stores.documents, clock=VirtualClock(), new_id=lambda: str(uuid.uuid4()))


async def test_versions_written_at_once_are_all_there(agents):
    written = await asyncio.gather(*(agents.create_version(HERE, "a", new(str(number))) for number in range(20)))
    numbers = sorted(record.number for _, record in written)
    assert len(set(numbers)) == 20
    assert sorted(each.number for each in (await agents.versions(HERE, "a", ALL)).versions) == numbers
    assert (await agents.resolve(HERE, "a")).version == str(numbers[-1])


async def test_pages_and_deletion(agents, stores):
    for text in "123":
        await agents.create_version(HERE, "a", new(text))
    page = await agents.versions(HERE, "a", Order(limit=1, after="a:3"))
    assert ([each.number for each in page.versions], page.has_more) == ([2], True)
    with pytest.raises(InvalidField):
        await agents.versions(HERE, "a", Order(before="a:4"))
    await agents.delete_version(HERE, "a", "3")
    assert (await agents.resolve(HERE, "a")).version == "2"
    await agents.delete(HERE, "a")
    with pytest.raises(NotFound):
        await agents.resolve(HERE, "a", "1")
    for kind in ("agent", "agent_version"):
        assert await stores.documents.page(Query(place=HERE, kind=kind, now=0.0)) == []
