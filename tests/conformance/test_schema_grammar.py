"""The schema compiler against the published JSON Schema test suite: it refuses a schema, or it keeps what it says.

For a schema that is compiled, no text of an instance marked invalid may match the grammar. How many of the instances
marked valid can be generated is counted: a grammar may be narrower than its schema, and each narrowing is on purpose.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forehearth.core.errors import InvalidField, NotSupported
from forehearth.embedded.schema_grammar import compile_schema
from tests.unit.embedded.gbnf_reader import Grammar, read

SUITE = Path(__file__).parent / "schemas" / "json_schema_test_suite"
DRAFTS = ("draft2020-12", "draft7")
DIALECT = {
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
    "draft7": "http://json-schema.org/draft-07/schema#",
}

REFUSED: dict[str, dict[str, int]] = {
    "draft2020-12": {
        "$ref": 15,
        "additionalProperties": 1,
        "allOf": 11,
        "contains": 17,
        "contentEncoding": 1,
        "contentMediaType": 3,
        "dependentRequired": 4,
        "dependentSchemas": 5,
        "else": 2,
        "format": 9,
        "if": 7,
        "items": 1,
        "maxContains": 1,
        "maxItems": 1,
        "maxProperties": 3,
        "minContains": 1,
        "minProperties": 2,
        "multipleOf": 6,
        "not": 9,
        "oneOf": 10,
        "pattern": 2,
        "patternProperties": 8,
        "properties": 4,
        "propertyNames": 7,
        "schema": 7,
        "then": 3,
        "uniqueItems": 3,
    },
    "draft7": {
        "$id": 1,
        "$ref": 11,
        "additionalItems": 5,
        "additionalProperties": 1,
        "allOf": 14,
        "contains": 7,
        "dependencies": 7,
        "else": 1,
        "format": 9,
        "if": 6,
        "items": 1,
        "maxItems": 1,
        "maxProperties": 3,
        "minProperties": 2,
        "multipleOf": 6,
        "not": 8,
        "oneOf": 10,
        "pattern": 2,
        "patternProperties": 8,
        "properties": 3,
        "propertyNames": 6,
        "schema": 7,
        "then": 2,
        "uniqueItems": 3,
    },
}
"""Groups that are refused, by the keyword that the refusal names: exactly these."""

GENERATED: dict[str, tuple[int, int]] = {"draft2020-12": (230, 456), "draft7": (216, 400)}
"""Of the instances marked valid in compiled groups, how many can be generated, and how many there are."""


def groups(draft: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((SUITE / draft).rglob("*.json")):
        for group in json.loads(path.read_text()):
            yield f"{path.relative_to(SUITE)}: {group['description']}", group


def schema_of(draft: str, schema: Any) -> Any:
    """The schema, with its dialect said, as draft 7's files leave it out."""
    return {"$schema": DIALECT[draft], **schema} if isinstance(schema, dict) else schema


def texts_of(instance: Any) -> set[str]:
    backwards = dict(reversed(instance.items())) if isinstance(instance, dict) else instance
    return {
        text
        for value in (instance, backwards)
        for is_ascii in (True, False)
        for separators in ((",", ":"), (", ", ": "), (",", ": "))
        if (text := json.dumps(value, ensure_ascii=is_ascii, separators=separators)).isprintable()
    }


def compiled(draft: str, group: dict[str, Any]) -> Grammar | NotSupported | InvalidField:
    try:
        return read(compile_schema(schema_of(draft, group["schema"]), "schema"))
    except (NotSupported, InvalidField) as error:
        return error


def keyword_of(refusal: NotSupported | InvalidField) -> str:
    """What the refusal names, as its member and in its words."""
    place = refusal.param or ""
    assert place.startswith("schema")
    assert place in refusal.message
    return place.rpartition(".")[2].partition("[")[0]


@pytest.mark.parametrize("draft", DRAFTS)
def test_the_suite(draft: str) -> None:
    refused: Counter[str] = Counter()
    generated, valid = 0, 0
    wrong = []
    for name, group in groups(draft):
        grammar = compiled(draft, group)
        if not isinstance(grammar, Grammar):
            refused[keyword_of(grammar)] += 1
            continue
        for test in group["tests"]:
            matched = [text for text in texts_of(test["data"]) if grammar.matches(text)]
            if test["valid"]:
                valid += 1
                generated += bool(matched)
            elif matched:
                wrong.append((name, test["description"], matched))
    assert not wrong
    assert dict(sorted(refused.items())) == REFUSED[draft]
    assert (generated, valid) == GENERATED[draft]
