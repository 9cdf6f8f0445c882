"""Edits to raw JSON: exact where they apply, and not one byte elsewhere."""

import json

import pytest

from forehearth.dialects import json_members
from tests.unit.dice import by_dice

TEXTS = ["model", "messages", "n", "", '"model": "x"', "\\", 'a\\"b', "é\u2028{[", "}", "m\x00"]
VALUES = [None, True, 0, -1.5e300, [], {}, [[], {"model": "m"}], {"a": {"model": ["}"]}}, "😀"]
LAYOUTS = [{}, {"indent": 2}, {"separators": (",", ":")}, {"ensure_ascii": False}]


def some_value(dice):
    kind = dice.randrange(3)
    if kind == 0:
        return dice.choice(TEXTS)
    return dice.choice(VALUES) if kind == 1 else dice.choices(TEXTS, k=dice.randrange(4))


def some_object(dice):
    return {key: some_value(dice) for key in dice.choices(TEXTS, k=dice.randrange(5))}


def written(dice, value):
    return json.dumps(value, **dice.choice(LAYOUTS)).encode()


@by_dice(empty=0.1, nested=0.3, flat=0.1)
def test_members_are_found_where_the_standard_parser_sees_them(dice):
    value = some_object(dice)
    body = written(dice, value)
    found = json_members.members(body)
    assert [member.key for member in found] == list(value)
    for member in found:
        assert json.loads(body[member.value_start : member.end]) == value[member.key]
        assert body[member.start : member.start + 1] == b'"'
    if not value:
        return "empty"
    return "nested" if any(isinstance(each, dict | list) for each in value.values()) else "flat"


@by_dice(text=0.3, other=0.3)
def test_replacing_changes_one_value_and_no_other_byte(dice):
    value = {**some_object(dice), "model": some_value(dice)}
    body = written(dice, value)
    out = json_members.replace(body, "model", b'"served-\\u0041"')
    assert json.loads(out) == {**value, "model": "served-A"}
    place = next(member for member in json_members.members(body) if member.key == "model")
    assert out.startswith(body[: place.value_start])
    assert out.endswith(body[place.end :])
    return "text" if isinstance(value["model"], str) else "other"


@by_dice(all=0.03, some=0.2, none=0.2)
def test_removing_leaves_the_other_members(dice):
    value = some_object(dice)
    keys = set(dice.choices(["model", "messages", "n", "", *value], k=dice.randrange(5)))
    body = written(dice, value)
    out = json_members.remove(body, keys)
    left = {key: kept for key, kept in value.items() if key not in keys}
    assert json.loads(out) == left
    if left == value:
        assert out == body
        return "none"
    return "some" if left else "all"


@by_dice(1_000, before_others=0.5, alone=0.1)
def test_inserting_puts_a_member_first(dice):
    value = some_object(dice)
    out = json_members.insert_first(written(dice, value), "id", b"7")
    assert list(json.loads(out).items()) == [("id", 7), *value.items()]
    return "before_others" if value else "alone"


@pytest.mark.parametrize(
    "body",
    [
        rb'{"mod\u0065l": "a", "x": {"model": "b"}}',
        rb'{"model": "a", "model": "b"}',
        rb'{ "model" : null , "t": "\"model\": \"x\"" }',
        rb'{"messages":[{"role":"model"}],"model":"a"}',
    ],
)
def test_every_spelling_of_the_member_is_replaced_and_no_other(body):
    out = json_members.replace(body, "model", b'"new"')
    assert json.loads(out)["model"] == "new"
    assert json.loads(out).get("x") == json.loads(body).get("x")
    assert json.loads(out).get("t") == json.loads(body).get("t")


@by_dice(1_000)
def test_bytes_that_are_no_json_cost_bounded_time(dice):
    body = bytes(dice.choices(b'{}[]:,\\\n a0"\xff', k=dice.randrange(80)))
    json_members.members(b"{" + (body.replace(b'"', b"'") if dice.random() < 0.5 else body))


@by_dice(1_000, replaced=0.03, added=0.3, both=0.1)
def test_putting_replaces_what_is_there_and_adds_what_is_not(dice):
    value = some_object(dice)
    body = written(dice, value)
    put = {key: some_value(dice) for key in dice.choices([*TEXTS, *value], k=dice.randrange(4))}
    missing = {key: some_value(dice) for key in dice.choices([*TEXTS, *value], k=dice.randrange(3))}
    encoded = [{key: json.dumps(each).encode() for key, each in given.items()} for given in (put, missing)]
    out = json_members.put(body, encoded[0], missing=encoded[1])
    assert json.loads(out) == {**missing, **value, **put}
    assert list(json.loads(out))[: len(value)] == list(value)
    if not put and not missing.keys() - value.keys():
        assert out == body
        return "nothing"
    replaced, added = put.keys() & value.keys(), (put.keys() | missing.keys()) - value.keys()
    return "both" if replaced and added else "replaced" if replaced else "added"
