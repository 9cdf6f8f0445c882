"""Schemas of answers: what they take, what their columns are, and what is refused."""

import json

import jsonschema
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forehearth.enrichment.answer_schema import AnswerSchema, BadSchema, Misfit

TICKET = {
    "type": "object",
    "properties": {
        "category": {"enum": ["billing", "technical"]},
        "urgency": {"type": "integer", "minimum": 0, "maximum": 5},
        "score": {"type": "number"},
        "angry": {"type": ["boolean", "null"]},
        "tags": {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 3},
        "who": {"type": "object", "properties": {"full name": {"type": "string"}}},
    },
}
A = ("properties", "a")
GOOD = {
    "category": "billing", "urgency": 3, "score": 0.5, "angry": None, "tags": ["a"], "who": {"full name": "Ada"}
}  # fmt: skip


def test_columns_and_values():
    schema = AnswerSchema(TICKET)
    assert schema.columns == {
        "category": pa.string(),
        "urgency": pa.int64(),
        "score": pa.float64(),
        "angry": pa.bool_(),
        "tags": pa.list_(pa.string()),
        "who": pa.struct([pa.field("full name", pa.string())]),
    }
    assert schema.read(json.dumps(GOOD)) == GOOD
    assert schema.sent["additionalProperties"] is False
    assert schema.sent["properties"]["who"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"category": "other"}, "category"),
        ({"urgency": 6}, "urgency"),
        ({"urgency": 2.5}, "urgency"),
        ({"urgency": None}, "urgency"),
        ({"tags": ["a", ""]}, "tags"),
        ({"tags": list("abcd")}, "tags"),
        ({"who": {}}, "full name"),
        ({"more": 1}, "more"),
    ],
)
def test_what_does_not_fit_is_told_by_its_place(change, says):
    with pytest.raises(Misfit, match=says):
        AnswerSchema(TICKET).read(json.dumps(GOOD | change))


def test_null_may_be_one_of_the_choices():
    schema = AnswerSchema({"type": "object", "properties": {"a": {"type": ["string", "null"], "enum": ["x", None]}}})
    assert (schema.columns["a"], schema.sent["properties"]["a"]["enum"]) == (pa.string(), ["x", None])
    assert [schema.read(f'{{"a": {each}}}')["a"] for each in ('"x"', "null")] == ["x", None]
    with pytest.raises(BadSchema, match="choices are words"):
        AnswerSchema({"type": "object", "properties": {"a": {"type": "string", "enum": ["x", None]}}})


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "{", '"x"', "[" * 100_000])
def test_what_is_no_object_does_not_fit(text):
    with pytest.raises(Misfit):
        AnswerSchema(TICKET).read(text)


def test_members_may_be_missing_or_more_where_the_schema_says_so():
    properties = {"a": {"type": "string"}, "b": {"type": "integer"}}
    schema = AnswerSchema({"type": "object", "properties": properties, "required": ["a"], "additionalProperties": True})
    assert schema.read('{"a": "x", "c": 1}') == {"a": "x", "b": None}
    assert schema.sent["additionalProperties"] is True


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "array", "items": {"type": "string"}}, ()),
        ({"type": "object"}, ("properties",)),
        ({"type": "object", "properties": {"a": {"type": "strnig"}}}, (*A, "type")),
        ({"type": "object", "properties": {"a": {"type": ["string", "integer"]}}}, (*A, "type")),
        ({"type": "object", "properties": {"a": {"type": "string", "maximum": 1}}}, (*A, "maximum")),
        ({"type": "object", "properties": {"a": {"anyOf": []}}}, (*A, "type")),
        ({"type": "object", "properties": {"a": {"enum": ["x", 1]}}}, (*A, "enum")),
        ({"type": "object", "properties": {"a": {"enum": []}}}, (*A, "enum")),
        ({"type": "object", "properties": {"a": {"type": "array"}}}, A),
        ({"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}}, (*A, "pattern")),
        ({"type": "object", "properties": {"a": {"type": "integer", "maximum": "1"}}}, (*A, "maximum")),
        ({"type": "object", "properties": {"a": {"type": "object", "properties": {}}}}, (*A, "properties")),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]}, ("required",)),
        ({"type": "object", "properties": {"a": "string"}}, A),
    ],
)  # fmt: skip
def test_what_is_not_taken_is_refused_by_its_place(schema, path):
    with pytest.raises(BadSchema) as refused:
        AnswerSchema(schema)
    assert refused.value.path == path


def of(**member):
    return {"type": "object", "properties": {"a": member}}


@pytest.mark.parametrize(
    ("member", "path", "says"),
    [
        ({"type": "string", "maxLength": 2**70}, "maxLength", "cannot be 1180591620717411303424"),
        ({"type": "string", "minLength": -1}, "minLength", "cannot be -1"),
        ({"type": "string", "maxLength": 1.5}, "maxLength", "cannot be 1.5"),
        ({"type": "string", "minLength": 5, "maxLength": 1}, "minLength", "more than 'maxLength'"),
        ({"type": "string", "pattern": "a{99999999999}"}, "pattern", "no pattern"),
        ({"type": "string", "pattern": "(" * 500 + ")" * 500}, "pattern", "no pattern"),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 2**70}, "maxItems", "cannot be"),
        ({"type": "integer", "minimum": 2**70}, "minimum", "64 bits"),
        ({"type": "integer", "minimum": 1.5}, "minimum", "whole number"),
        ({"type": "integer", "minimum": 2, "maximum": 1}, "minimum", "nothing fits"),
        ({"type": "integer", "multipleOf": 0}, "multipleOf", "cannot be 0"),
        ({"type": "number", "maximum": 10**400}, "maximum", "cannot be"),
        ({"type": "number", "minimum": float("nan")}, "minimum", "cannot be nan"),
        ({"enum": [2**70]}, "enum", "64 bits"),
        ({"type": {"a": 1}}, "type", "one type"),
    ],
)  # fmt: skip
def test_bounds_that_nothing_can_be_checked_by_are_refused(member, path, says):
    with pytest.raises(BadSchema, match=says) as refused:
        AnswerSchema(of(**member))
    assert refused.value.path == (*A, path)


def test_so_are_bounds_that_do_not_go_together_and_what_is_nested_without_end():
    with pytest.raises(BadSchema, match="do not go together"):
        AnswerSchema(of(type="number", minimum=1, exclusiveMinimum=2))
    deep = {"type": "string"}
    for _ in range(400):
        deep = {"type": "array", "items": deep}
    with pytest.raises(BadSchema, match="nested too deeply"):
        AnswerSchema(of(**deep))


INNER = {"type": ["object", "null"], "properties": {"b": {"type": "integer"}}}
STRICT = [
    (of(type="string"), True),
    (of(**INNER), True),
    (of(type="array", items=INNER), True),
    (of(type="string") | {"required": []}, False),
    (of(type="string") | {"additionalProperties": True}, False),
    (of(**INNER, required=[]), False),
    (of(type="array", items=INNER | {"additionalProperties": True}), False),
    (of(type="string", maxLength=5), False),
    (of(type="integer", minimum=1), True),
]


@pytest.mark.parametrize(("schema", "strict"), STRICT)
def test_what_keeps_the_strict_rule_is_sent_as_strict(schema, strict):
    read = AnswerSchema(schema)
    assert read.is_strict is strict
    if strict:
        assert read.sent["required"] == ["a"]
        assert read.sent["additionalProperties"] is False


READ = AnswerSchema(TICKET)
numbers = [0, 5, 6, -1, 0.5, 1e300]
lists = [[], ["a"], ["a", 1], list("abcd")]
objects = [{}, {"x": 1}, {"full name": "Ada"}, {"full name": None}, {"full name": "Ada", "x": 1}]
values = st.sampled_from([None, True, "", "billing", "other", *numbers, *lists, *objects])


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*GOOD, "more"]), values, max_size=3), st.booleans())
def test_it_judges_as_another_validator_does(changed, whole):
    answer = (GOOD if whole else {}) | changed
    fits = jsonschema.Draft202012Validator(json.loads(json.dumps(READ.sent))).is_valid(answer)
    try:
        READ.read(json.dumps(answer))
        assert fits
    except Misfit:
        assert not fits
