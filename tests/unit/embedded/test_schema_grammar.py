"""What the schema compiler keeps, what it narrows, and what it refuses in which words."""

from typing import Any

import pytest

from forehearth.core.errors import InvalidField, NotSupported
from forehearth.embedded.schema_grammar import MOST_DEPTH, MOST_SCHEMAS, any_object, compile_schema
from forehearth.embedded.schema_keywords import ANNOTATIONS, SUPPORTED, WORDS_OF_TYPES
from tests.unit.embedded.gbnf_reader import read

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "mail": {"type": ["string", "null"]}},
    "required": ["name"],
    "additionalProperties": False,
}
CAT = {"type": "object", "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}}, "required": ["kind"]}
DOG = {"type": "object", "properties": {"kind": {"enum": ["dog"]}, "good": {"type": "boolean"}}, "required": ["kind"]}

KEPT: list[tuple[Any, list[str], list[str]]] = [
    (
        PERSON,
        ['{"name":"a"}', '{"name": "a", "age": 3}', '{"name":"a","mail":null}', '{"name":"\\"","age":0,"mail":""}'],
        [
            "{}",
            '{"age":3}',
            '{"name":1}',
            '{"name":"a","x":1}',
            '{"name":"a"}x',
            '{"name":"a","name":"b"}',
            '{"name":"a",}',
        ],
    ),
    (
        {"type": "integer", "minimum": -12, "maximum": 305},
        ["-12", "-1", "0", "9", "10", "99", "305"],
        ["-13", "306", "00", "1.0", "-0"],
    ),
    ({"type": "integer", "exclusiveMinimum": 0}, ["1", "999999"], ["0", "-1"]),
    ({"type": "integer", "minimum": 0.5, "maximum": 2.5}, ["1", "2"], ["0", "3", "0.5"]),
    (
        {"type": "number", "minimum": 0, "maximum": 1},
        ["0", "1", "0.5", "0.25", "1.0", "1.00"],
        ["1.01", "-0.1", "2", "1.5", "1e0"],
    ),
    (
        {"type": "number", "minimum": -1.5, "exclusiveMaximum": 2.25},
        ["-1.5", "-1.49", "0.0", "2.24", "2"],
        ["-1.51", "2.25", "2.3", "-2"],
    ),
    ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001}, ["0.0005"], ["0", "0.001", "0.0", "0.0000"]),
    (
        {"type": "string", "minLength": 2, "maxLength": 3},
        ['"ab"', '"a\\n"', '"\u00e9\U0001f600x"'],
        ['"a"', '"abcd"', '"a\nb"', '"\\u0041b"'],
    ),
    (
        {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 2},
        ["[true]", "[true, false]"],
        ["[]", "[1]", "[true,true,true]"],
    ),
    (
        {"type": "array", "prefixItems": [{"const": 1}, {"const": "x"}]},
        ["[]", "[1]", '[1,"x"]'],
        ['["x"]', '[1,"x",2]'],
    ),
    (
        {"type": "array", "prefixItems": [{"const": 1}], "items": {"const": 2}, "minItems": 2, "maxItems": 3},
        ["[1,2]", "[1,2,2]"],
        ["[1]", "[1,2,2,2]", "[2,2]"],
    ),
    ({"items": [{"const": 1}], "additionalItems": False}, ["[]", "[1]"], ["[1,1]", "{}"]),
    ({"enum": ["a", 1, None, {"b": [1, 2]}]}, ['"a"', "1", "null", '{"b":[1,2]}'], ['"b"', "true", "1.0"]),
    ({"type": "string", "enum": ["a", 1]}, ['"a"'], ["1"]),
    ({"anyOf": [{"type": "string"}, {"type": "null"}], "type": ["null", "integer"]}, ["null"], ['"a"', "1"]),
    (
        {"oneOf": [CAT, DOG]},
        ['{"kind":"cat","lives":9}', '{"kind":"dog"}'],
        ['{"kind":"cat","good":true}', '{"kind":"cow"}'],
    ),
    ({"type": "object", "additionalProperties": {"type": "integer"}}, ["{}", '{"x":1, "y": 2}'], ['{"x":"1"}']),
    (
        {"properties": {"ab": {"type": "null"}}, "additionalProperties": {"type": "integer"}},
        ['{"ab":null,"abc":1}', '{"a":1}', '{"b":2,"":3}'],
        ['{"ab":1}', '{"\\u0061b":1}', '{"a\\u0062":1}', '{"x":1,"ab":2}'],
    ),
    ({"type": "object", "required": ["b"], "properties": {"a": {}}}, ['{"a":[],"b":{}}', '{"b":1}'], ['{"a":1}']),
    ({"properties": {"a": False, "b": True}}, ["{}", '{"b":0}'], ['{"a":0}']),
    (
        {
            "$ref": "#/$defs/tree",
            "$defs": {
                "tree": {"type": "object", "properties": {"sub": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}
            },
        },
        ["{}", '{"sub":[{},{"sub":[]}]}'],
        ['{"sub":[1]}', "[]"],
    ),
    ({"$ref": "#/definitions/a~1b%25", "definitions": {"a/b%": {"const": 7}}}, ["7"], ["8"]),
    ({"allOf": [{"type": "boolean"}], "title": "a flag", "default": True, "x-note": 1}, ["true"], ["1"]),
    ({"type": "integer", "pattern": "^a", "uniqueItems": True}, ["12"], ['"a"']),
    ({"type": "string", "format": "date", "maxLength": 10}, ['"2024-02-29"'], ['"2023-02-29"', '"today"']),
    (True, ["1", '{"a":[null,true,"x",1.5e3]}'], ["01", "[1,]", "nul"]),
    ({}, ["{}", "[]"], ["{1:2}"]),
]


@pytest.mark.parametrize(("schema", "yes", "no"), KEPT)
def test_it_keeps_the_schema(schema: Any, yes: list[str], no: list[str]) -> None:
    grammar = read(compile_schema(schema, "schema"))
    assert [text for text in yes if not grammar.matches(text)] == []
    assert [text for text in no if grammar.matches(text)] == []


REFUSED: list[tuple[Any, type[Exception], str, str]] = [
    ({"type": "string", "pattern": "^a"}, NotSupported, "s.pattern", "not a supported keyword"),
    ({"properties": {"a": {"not": {}}}}, NotSupported, "s.properties.a.not", "not a supported keyword"),
    ({"type": "array", "uniqueItems": True}, NotSupported, "s.uniqueItems", "false only"),
    ({"type": "string", "format": "regex"}, NotSupported, "s.format", "'regex' is not supported: date,"),
    ({"type": "string", "format": "uuid", "maxLength": 8}, NotSupported, "s.format", "36 to 36"),
    ({"type": "string", "minLength": 1_001}, NotSupported, "s.minLength", "1000 is the limit"),
    ({"type": "object", "minProperties": 1}, NotSupported, "s.minProperties", "where `required` names as many"),
    ({"type": "object", "maxProperties": 1}, NotSupported, "s.maxProperties", "lists no more"),
    ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, NotSupported, "s.oneOf", "match two branches"),
    ({"oneOf": [CAT, CAT]}, NotSupported, "s.oneOf", "match two branches"),
    ({"allOf": [{}, {}]}, NotSupported, "s.allOf", "one branch only"),
    ({"anyOf": [{}], "minimum": 1}, NotSupported, "s.minimum", "beside `anyOf`"),
    ({"enum": ["a"], "minLength": 1}, NotSupported, "s.minLength", "beside `enum`"),
    ({"$ref": "other.json"}, NotSupported, "s.$ref", "only schemas within this document"),
    ({"$ref": "#/$defs/x"}, NotSupported, "s.$ref", "'#/$defs/x'"),
    ({"$ref": "#/enum/0", "enum": [{}]}, NotSupported, "s.enum", "beside `$ref`"),
    ({"$ref": "#"}, InvalidField, "s", "refers to itself"),
    (
        {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}], "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}},
        InvalidField,
        "s",
        "refers to itself",
    ),
    ({"required": ["a"], "properties": {"a": {"$ref": "#"}}}, InvalidField, "s", "admits no value"),
    ({"$schema": "http://json-schema.org/draft-04/schema#"}, NotSupported, "s.$schema", "must be one of"),
    (
        {"$schema": "http://json-schema.org/draft-07/schema#", "prefixItems": [{}]},
        NotSupported,
        "s.prefixItems",
        "no meaning",
    ),
    ({"properties": {"a": {"$id": "x"}}}, NotSupported, "s.properties.a.$id", "at the root only"),
    ({"type": "text"}, InvalidField, "s.type", "one or a list of object"),
    ({"type": []}, InvalidField, "s.type", "one or a list of object"),
    ({"enum": []}, InvalidField, "s.enum", "at least one"),
    ({"enum": [float("inf")]}, InvalidField, "s.enum[0]", "finite"),
    ({"type": "string", "minLength": -1}, InvalidField, "s.minLength", "whole number"),
    ({"type": "integer", "minimum": True}, InvalidField, "s.minimum", "must be a number"),
    ({"type": "integer", "minimum": 10**15}, NotSupported, "s", "more digits than 15"),
    ({"type": "object", "required": "a"}, InvalidField, "s.required", "list of names"),
    ({"type": "object", "properties": []}, InvalidField, "s.properties", "object of schemas"),
    ({"items": 3}, InvalidField, "s.items", "must be a JSON Schema"),
    ({"prefixItems": {}}, InvalidField, "s.prefixItems", "list of schemas"),
    ({"items": {}, "additionalItems": False}, NotSupported, "s.additionalItems", "beside a list"),
    ("string", InvalidField, "s", "must be a JSON Schema"),
    (None, InvalidField, "s", "must be a JSON Schema"),
    ({"properties": {"\ud800": {}}}, InvalidField, "s.properties", "not valid Unicode"),
    ({"const": "\ud800"}, InvalidField, "s.const", "cannot be written"),
    ({"properties": {"x" * 300: {}}, "additionalProperties": True}, NotSupported, "s.properties", "256 characters"),
]


@pytest.mark.parametrize(("schema", "kind", "param", "words"), REFUSED)
def test_it_names_what_it_refuses(schema: Any, kind: type[NotSupported | InvalidField], param: str, words: str) -> None:
    with pytest.raises(kind) as refused:
        compile_schema(schema, "s")
    assert refused.value.param == param
    assert param in refused.value.message
    assert words in refused.value.message


def test_large_bounds_are_lowered_to_what_the_engine_keeps() -> None:
    grammar = read(compile_schema({"type": "string", "maxLength": 10**9}, "s"))
    assert grammar.matches(f'"{"a" * 1_000}"')
    assert not grammar.matches(f'"{"a" * 1_001}"')
    items = read(compile_schema({"type": "array", "items": {"const": 1}, "maxItems": 10**9}, "s"))
    assert items.matches(f"[{','.join('1' * 1_000)}]")
    assert not items.matches(f"[{','.join('1' * 1_001)}]")


def nested(levels: int) -> Any:
    schema: Any = {"type": "integer"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


def test_depth_and_size_are_bounded() -> None:
    assert read(compile_schema(nested(MOST_DEPTH), "s")).matches("[" * MOST_DEPTH + "]" * MOST_DEPTH)
    with pytest.raises(NotSupported, match="nested too deeply"):
        compile_schema(nested(MOST_DEPTH + 1), "s")
    with pytest.raises(NotSupported, match="one schema too many"):
        compile_schema({"properties": {f"p{at}": {} for at in range(MOST_SCHEMAS)}}, "s")
    with pytest.raises(NotSupported, match="its grammar has"):
        compile_schema({"enum": ["x" * 1_000 for _ in range(500)] + [str(at) * 1_000 for at in range(500)]}, "s")


def test_nested_arrays_do_not_multiply() -> None:
    assert len(compile_schema(nested(60), "s")) < 12_000


def test_white_space_is_at_most_one_space() -> None:
    grammar = read(any_object())
    assert grammar.matches('{"a": [1, {"b": 2}], "c":null}')
    for text in ('{"a":  1}', '{ "a":1}', '{"a" :1}', '{"a":\n1}', "[]", ' {"a":1}', '{"a":1} '):
        assert not grammar.matches(text)


def test_the_tables_tell_each_keyword_once() -> None:
    assert SUPPORTED.keys().isdisjoint(ANNOTATIONS)
    constraining = frozenset().union(*WORDS_OF_TYPES.values())
    assert constraining & SUPPORTED.keys() == SUPPORTED.keys() - {
        "type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "$defs", "definitions",
    }  # fmt: skip
