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


READ = AnswerSchema(TICKET)
numbers = [0, 5, 6, -1, 0.5, 1e300]
lists = [[], ["a"], ["a", 1], list("abcd")]
objects = [{}, {"x": 1}, {"full name": "Ada"}, {"full name": None}, {"full name": "Ada", "x": 1}]
values = st.sampled_from([None, True, "", "billing", "other", *numbers, *lists, *objects])


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*GOOD, "more"]), values, max_size=3), st.booleans())
def test_it_judges_as_another_validator_does(changed, whole):
    answer = (GOOD if whole else {}) | changed
    required = {"required": list(GOOD)}
    closed = json.loads(json.dumps(READ.sent)) | required
    closed["properties"]["who"]["required"] = ["full name"]
    fits = jsonschema.Draft202012Validator(closed).is_valid(answer)
    try:
        READ.read(json.dumps(answer))
        assert fits
    except Misfit:
        assert not fits
