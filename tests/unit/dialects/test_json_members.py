"""Edits to raw JSON: exact where they apply, and not one byte elsewhere."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forehearth.dialects import json_members

TEXTS = st.sampled_from(["model", "messages", "n", "", '"model": "x"', "\\", 'a\\"b', "é\u2028{[", "}", "m\x00"])
JSON_VALUES = st.one_of(
    TEXTS,
    st.sampled_from([None, True, 0, -1.5e300, [], {}, [[], {"model": "m"}], {"a": {"model": ["}"]}}, "😀"]),
    st.lists(TEXTS, max_size=3),
)
OBJECTS = st.dictionaries(TEXTS, JSON_VALUES, max_size=4)
LAYOUTS = st.sampled_from([{}, {"indent": 2}, {"separators": (",", ":")}, {"ensure_ascii": False}])


@settings(max_examples=10_000, deadline=None)
@given(OBJECTS, LAYOUTS)
def test_members_are_found_where_the_standard_parser_sees_them(value, layout):
    body = json.dumps(value, **layout).encode()
    found = json_members.members(body)
    assert [member.key for member in found] == list(value)
    for member in found:
        assert json.loads(body[member.value_start : member.end]) == value[member.key]
        assert body[member.start : member.start + 1] == b'"'


@settings(max_examples=2_000, deadline=None)
@given(OBJECTS, JSON_VALUES, LAYOUTS)
def test_replacing_changes_one_value_and_no_other_byte(value, model, layout):
    value = {**value, "model": model}
    body = json.dumps(value, **layout).encode()
    out = json_members.replace(body, "model", b'"served-\\u0041"')
    assert json.loads(out) == {**value, "model": "served-A"}
    place = next(member for member in json_members.members(body) if member.key == "model")
    assert out.startswith(body[: place.value_start])
    assert out.endswith(body[place.end :])


@settings(max_examples=1_000, deadline=None)
@given(OBJECTS, st.sets(st.sampled_from(["model", "messages", "n", ""])), LAYOUTS)
def test_removing_leaves_the_other_members(value, keys, layout):
    out = json_members.remove(json.dumps(value, **layout).encode(), keys)
    assert json.loads(out) == {key: kept for key, kept in value.items() if key not in keys}


@settings(max_examples=500, deadline=None)
@given(OBJECTS, LAYOUTS)
def test_inserting_puts_a_member_first(value, layout):
    value.pop("id", None)
    out = json_members.insert_first(json.dumps(value, **layout).encode(), "id", b"7")
    assert list(json.loads(out).items()) == [("id", 7), *value.items()]


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


@settings(max_examples=1_000, deadline=None)
@given(st.binary(max_size=80))
def test_bytes_that_are_no_json_cost_bounded_time(body):
    json_members.members(b"{" + body.replace(b'"', b"'"))
