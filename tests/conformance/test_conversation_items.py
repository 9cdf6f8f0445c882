"""What is kept of a conversation's items, held against the specification, with every object closed."""

import itertools
import json

import pytest

from forehearth.conversations.items import read_items
from forehearth.conversations.kinds import KINDS
from tests.conformance.conversation_items import ITEMS
from tests.conformance.openapi import Document

DOCUMENT = Document("openai-conversations.json")
SHOWN = DOCUMENT.validator("ConversationItem")
OPTIONAL_ID = {"custom_tool_call", "custom_tool_call_output"}
NOT_KEPT = {"item_reference", "compaction_trigger"}
NAMES = [f"{number}-{each.get('type', 'message')}" for number, each in enumerate(ITEMS)]


def kept(item):
    numbers = itertools.count(1)
    (read,) = read_items([item], lambda prefix: f"{prefix}_new{next(numbers)}")
    shown = json.loads(read.body)
    assert shown["id"] == read.id
    return shown


def test_every_kind_that_can_be_shown_can_be_kept():
    assert set(KINDS) == DOCUMENT.variants("ConversationItem")
    assert set(KINDS) == DOCUMENT.variants("InputItem") - NOT_KEPT
    assert {each.get("type", "message") for each in ITEMS} == set(KINDS)


@pytest.mark.parametrize("item", ITEMS, ids=NAMES)
def test_what_is_kept_is_as_the_specification_shows_it(item):
    shown = kept(item)
    assert [error.message for error in SHOWN.iter_errors(shown)] == []
    assert shown["type"] == item.get("type", "message")
    for name, value in item.items():
        if value is not None and name not in {"content", "output", "action"}:
            assert shown[name] == value


@pytest.mark.parametrize("item", ITEMS, ids=NAMES)
def test_a_changed_one_is_not(item):
    """So the test above can fail: another type of id, a member more, a member less."""
    shown = kept(item)
    changed = [shown | {"id": 1}, shown | {"no_such_member": 1}]
    changed += [{name: value for name, value in shown.items() if name != gone} for gone in ("id", "type")]
    if shown["type"] in OPTIONAL_ID:
        del changed[2]
    for each in changed:
        assert not SHOWN.is_valid(each)


@pytest.mark.parametrize("item", ITEMS, ids=NAMES)
def test_what_was_kept_can_be_given_again(item):
    """So one conversation can be made from another's list."""
    shown = kept(item)
    assert kept(shown) == shown
