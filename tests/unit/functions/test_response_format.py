"""The forms of a response, and schemas as pydantic writes them."""

from typing import Literal

import pytest
from pydantic import BaseModel

from forehearth.enrichment.answer_schema import AnswerSchema
from forehearth.functions.response_format import read

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("given", "kind", "schema"),
    [
        (None, "", None),
        ("text", "text", None),
        ({"type": "text"}, "text", None),
        ("json_object", "json_object", None),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}, "json_schema", SCHEMA),
        ({"type": "json_schema", "name": "x", "schema": SCHEMA}, "json_schema", SCHEMA),
    ],
)
def test_forms(given, kind, schema):
    assert read(given) == (kind, schema)


@pytest.mark.parametrize("given", ["xml", {"type": "json_schema"}, {}, 7, {"type": "json_schema", "schema": []}])
def test_what_is_no_form_is_refused(given):
    with pytest.raises(ValueError, match="response_format is None, 'text'"):
        read(given)


class Club(BaseModel):
    name: str
    level: Literal["one", "two"]


class Player(BaseModel):
    name: str
    club: Club | None
    clubs: list[Club]
    nick: str | None = None


def test_a_class_of_pydantic_can_be_checked():
    kind, schema = read(Player)
    assert kind == "json_schema"
    assert schema["properties"]["nick"]["type"] == ["string", "null"]
    assert schema["properties"]["club"]["type"] == ["object", "null"]
    checked = AnswerSchema(schema)
    answer = '{"name": "Alex", "club": null, "clubs": [{"name": "FC", "level": "two"}]}'
    assert Player.model_validate(checked.read(answer)) == Player.model_validate_json(answer)


class Node(BaseModel):
    children: "list[Node]"


def test_a_schema_that_refers_to_itself_is_refused():
    with pytest.raises(ValueError, match="refers to itself"):
        read(Node)


def test_a_reference_to_nothing_is_refused():
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/gone"}}}
    with pytest.raises(ValueError, match="has no '#/\\$defs/gone'"):
        read({"type": "json_schema", "json_schema": {"schema": schema}})
