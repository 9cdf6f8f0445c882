"""Conversations become shorter at their beginning, and stay whole ones."""

import json

import pytest

from forehearth.dialects import turns
from tests.unit.dice import by_dice

SYSTEM = {"role": "system", "content": "be brief"}


def user(text):
    return {"role": "user", "content": text}


def says(text):
    return {"role": "assistant", "content": text}


def calls(*ids):
    return {"role": "assistant", "content": None, "tool_calls": [{"id": each} for each in ids]}


def gave(id_):
    return {"role": "tool", "tool_call_id": id_, "content": "42"}


def left(entries, share=0.0, member="messages"):
    found = turns.shortened(json.dumps({"model": "m", member: entries, "n": 1.0}).encode(), member, share, len)
    if found is None:
        return None
    assert b'"n": 1.0' in found.body
    assert found.dropped == len(entries) - len(json.loads(found.body)[member])
    return json.loads(found.body)[member]


def test_the_oldest_turn_goes_first_and_instructions_stay():
    talk = [SYSTEM, user("1"), says("1"), user("2"), says("2"), user("3")]
    assert left(talk) == [SYSTEM, user("2"), says("2"), user("3")]
    assert left(talk, 0.5) == [SYSTEM, user("3")]
    assert left(talk, 1.0) == [SYSTEM, user("3")]


def test_a_call_goes_with_what_it_gave():
    talk = [user("1"), calls("a", "b"), gave("a"), gave("b"), says("1"), user("2")]
    assert left(talk) == [user("2")]


def test_in_the_last_turn_the_oldest_calls_go():
    talk = [user("1"), calls("a", "b"), gave("a"), gave("b"), calls("c"), gave("c")]
    assert left(talk) == [user("1"), calls("c"), gave("c")]
    assert left([user("1"), calls("c"), gave("c")]) is None


def test_items_of_responses():
    def call(id_):
        return {"type": "function_call", "call_id": id_}

    def output(id_):
        return {"type": "function_call_output", "call_id": id_}

    thought = {"type": "reasoning", "summary": []}
    talk = [user("1"), thought, call("a"), call("b"), output("a"), output("b"), thought, call("c"), output("c")]
    assert left(talk, member="input") == [user("1"), thought, call("c"), output("c")]


@pytest.mark.parametrize("body", [b"{}", b'{"messages": "x"}', b'{"messages": [1]}', b'{"messages": []}'])
def test_where_nothing_can_go(body):
    assert turns.shortened(body, "messages", 1.0, len) is None
    assert left([SYSTEM, user("1")], 1.0) is None


@by_dice(1_000, shorter=0.5)
def test_what_is_left_is_a_conversation(dice):
    talk, open_ = [], 0
    for turn in range(dice.randrange(6)):
        if dice.random() < 0.2:
            talk.append(SYSTEM)
        talk.append(user(f"{turn}"))
        for _ in range(dice.randrange(3)):
            ids = [f"{open_ + index}" for index in range(dice.randrange(1, 3))]
            open_ += len(ids)
            talk += [calls(*ids), *map(gave, ids)]
        if dice.random() < 0.7:
            talk.append(says(f"{turn}"))
    share = dice.random()
    found = left(talk, share)
    if found is None:
        return "whole"
    assert [each for each in found if each["role"] == "system"] == [each for each in talk if each["role"] == "system"]
    assert found[-1] == talk[-1] or found[-1]["role"] == "system"
    assert [each for each in talk if each["role"] == "user"][-1] in found
    called = [call["id"] for each in found for call in each.get("tool_calls", ())]
    assert called == [each["tool_call_id"] for each in found if each["role"] == "tool"]
    return "shorter"
