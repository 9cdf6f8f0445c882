"""What a conversation's items have to be, and what is said of those that are not."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.conversations.items import LARGEST, read_items
from forehearth.conversations.kinds import KINDS
from forehearth.core.errors import InvalidField


def read(*items, **rest):
    numbers = itertools.count(1)
    return read_items(items, lambda prefix: f"{prefix}_{next(numbers)}", **rest)


def shown(*items):
    return [json.loads(each.body) for each in read(*items)]


def text(role="user", **rest):
    return {"role": role, "content": "Hello!"} | rest


def test_a_text_becomes_a_part_of_its_role():
    user, assistant = shown(text(), text("assistant"))
    assert user == {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_text", "text": "Hello!"}],
        "phase": None,
    }
    assert assistant["content"] == [{"type": "output_text", "text": "Hello!", "annotations": [], "logprobs": []}]


def test_what_came_is_kept_members_that_nobody_knows_included():
    given_item = {
        "type": "function_call",
        "id": "fc_mine",
        "call_id": "c",
        "name": "f",
        "arguments": '{"a": 1.50}',
        "agent_reference": {"name": "a"},
        "status": "incomplete",
    }
    assert shown(given_item) == [given_item | {"caller": None}]


def test_ids_begin_as_their_kind_does_and_order_is_kept():
    kept = read(text(), {"type": "function_call_output", "call_id": "c", "output": "1"}, text(id="msg_mine"))
    assert [each.id for each in kept] == ["msg_1", "fco_2", "msg_mine"]


WRONG = [
    ({"content": "x"}, "items[0].type", "Missing required parameter: 'items[0].type'."),
    ({"type": 1}, "items[0].type", "Invalid type for 'items[0].type': expected a string, but got an integer instead."),
    (
        {"type": "nothing"},
        "items[0].type",
        "Invalid value: 'nothing'. Supported values are: 'message', 'function_call'",
    ),
    ({"type": "item_reference", "id": "msg_1"}, "items[0].type", "Invalid value: 'item_reference'. Supported values"),
    ({"role": "user"}, "items[0].content", "Missing required parameter: 'items[0].content'."),
    (
        {"role": "user", "content": 1},
        "items[0].content",
        "Invalid type for 'items[0].content': expected a string or an array, but got an integer instead.",
    ),
    (
        {"role": "tool", "content": "x"},
        "items[0].role",
        "Invalid value: 'tool'. Supported values are: 'user', 'assistant', 'system', and 'developer'.",
    ),
    (
        {"role": "assistant", "content": [{"type": "input_text", "text": "x"}]},
        "items[0].content[0].type",
        "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.",
    ),
    (
        {"role": "user", "content": [{"type": "input_text"}]},
        "items[0].content[0].text",
        "Missing required parameter: 'items[0].content[0].text'.",
    ),
    ({"role": "user", "content": [{"text": "x"}]}, "items[0].content[0].type", "Missing required parameter"),
    ({"role": "user", "content": [{"type": None}]}, "items[0].content[0].type", "Missing required parameter"),
    ({"role": "user", "content": [{"type": []}]}, "items[0].content[0].type", "Invalid type for"),
    ({"role": "user", "content": ["x"]}, "items[0].content[0]", "Invalid type for 'items[0].content[0]'"),
    (text(status="done"), "items[0].status", "Invalid value: 'done'. Supported values are: 'in_progress'"),
    (text(status=1), "items[0].status", "Invalid type for 'items[0].status'"),
    (text(id="fc_1"), "items[0].id", "Invalid 'items[0].id': 'fc_1'. Expected an ID that begins with 'msg'."),
    (text(id="msg_a b"), "items[0].id", "Invalid 'items[0].id': 'msg_a b'. Expected an ID that contains letters"),
    (text(id="msg_" + "x" * 61), "items[0].id", "Invalid 'items[0].id': string too long. Expected a string with"),
    (text(id=7), "items[0].id", "Invalid type for 'items[0].id': expected a string, but got an integer instead."),
    (
        {"type": "function_call", "call_id": "c", "arguments": "{}", "name": None},
        "items[0].name",
        "Invalid type for 'items[0].name': expected a string, but got null instead.",
    ),
    (
        {"type": "shell_call", "call_id": "c", "action": {"commands": [1]}},
        "items[0].action.commands[0]",
        "Invalid type for 'items[0].action.commands[0]': expected a string, but got an integer instead.",
    ),
    (text(content="x" * LARGEST), "items[0]", "Invalid 'items[0]': too large. Expected an item of at most"),
]


@pytest.mark.parametrize(("item", "param", "message"), WRONG)
def test_what_cannot_be_kept_is_named(item, param, message):
    with pytest.raises(InvalidField) as refused:
        read(item)
    assert refused.value.param == param
    assert refused.value.message.startswith(message)


def test_the_kinds_there_are_are_all_named():
    with pytest.raises(InvalidField) as refused:
        read({"type": "nothing"})
    assert all(f"'{kind}'" in refused.value.message for kind in KINDS)


def test_the_second_of_two_is_named_by_its_place():
    with pytest.raises(InvalidField) as refused:
        read(text(), {"type": "reasoning"}, at="input")
    assert refused.value.param == "input[1].summary"


def test_no_more_than_twenty_at_once():
    assert len(read(*[text()] * 20)) == 20
    with pytest.raises(InvalidField) as refused:
        read(*[text()] * 21)
    assert (refused.value.kind, refused.value.param) == ("array_above_max_length", "items")
    assert refused.value.message.endswith("maximum length 20, but got an array with length 21 instead.")
    assert len(read(*[text()] * 21, most=None)) == 21


def test_an_id_is_given_once():
    with pytest.raises(InvalidField) as refused:
        read(text(id="msg_a"), text(id="msg_b"), text(id="msg_a"))
    assert refused.value.message.startswith("Duplicate item found with id msg_a.")


TEXT = st.text('a"é\0\U0001f600', max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
MEMBERS = st.sampled_from(
    ["type", "role", "content", "id", "status", "call_id", "name", "arguments", "output", "summary", "text", "action"]
)
SOME = st.one_of(JSON, st.sampled_from([*KINDS, "user", "assistant", "input_text", "completed"]))


@given(st.dictionaries(MEMBERS, SOME | st.lists(st.dictionaries(MEMBERS, SOME, max_size=3), max_size=2), max_size=6))
def test_any_object_is_kept_whole_or_refused_by_name(item):
    try:
        (kept,) = read(item)
    except InvalidField as error:
        kept, refused = None, error
    if kept is None:
        assert refused.param is not None
        assert refused.param.startswith("items")
        assert len(refused.message) < 2_000
        return
    found = json.loads(kept.body)
    assert found["type"] in KINDS
    assert {name for name, value in item.items() if value is not None} <= found.keys()
