"""Conversations in every store, where many write at once."""

import asyncio
import json

import pytest

from forehearth.conversations.items import read_items
from forehearth.conversations.service import Conversations
from forehearth.core.clock import SystemClock
from forehearth.core.errors import InvalidField
from forehearth.core.place import Place
from forehearth.documents.repository import Order
from forehearth.server.families import new_id

HERE = Place(resource="here", project="default")
LOTS = 10**9
WRITERS, AT_ONCE = 6, 20


@pytest.fixture
def talks(stores):
    return Conversations(stores.documents, new_id=new_id, clock=SystemClock())


def said(talks, who, count=AT_ONCE):
    return read_items([{"role": "user", "content": f"{who} {number}"} for number in range(count)], talks.new_id)


def texts(items):
    return [json.loads(each.body)["content"][0]["text"] for each in items]


async def test_many_write_at_once_and_each_request_keeps_its_order(talks):
    made = await talks.create(HERE, {})
    await asyncio.gather(*(talks.append(HERE, made.id, said(talks, who)) for who in range(WRITERS)))
    everything = texts(await talks.everything(HERE, made.id, most_bytes=LOTS))
    page = await talks.page(HERE, made.id, Order(limit=100, newest_first=False))
    assert (texts(page.items), page.has_more) == (everything[:100], True)
    assert len(everything) == WRITERS * AT_ONCE
    for who in range(WRITERS):
        own = [text for text in everything if text.split()[0] == str(who)]
        assert own == [f"{who} {number}" for number in range(AT_ONCE)]


async def test_of_two_with_the_same_id_one_is_kept_and_the_other_adds_nothing(talks):
    made = await talks.create(HERE, {})

    async def add(who):
        items = read_items(
            [{"role": "user", "content": who}, {"role": "user", "content": who, "id": "msg_same"}], talks.new_id
        )
        try:
            await talks.append(HERE, made.id, items)
        except InvalidField:
            return False
        return True

    assert sorted(await asyncio.gather(add("a"), add("b"))) == [False, True]
    kept = texts(await talks.everything(HERE, made.id, most_bytes=LOTS))
    assert len(kept) == 2
    assert len(set(kept)) == 1
