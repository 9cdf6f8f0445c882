"""Any schema at all: the compiler refuses it by name, or every text derived from its grammar is valid against it."""

import json
import random
from typing import Any

import jsonschema
import pytest

from forehearth.core.errors import InvalidField, NotSupported
from forehearth.embedded.schema_grammar import compile_schema
from tests.unit.dice import by_dice, some_text
from tests.unit.embedded.gbnf_reader import read
from tests.unit.embedded.random_schemas import SchemaMaker


def valid(schema: Any, text: str) -> bool:
    validator = jsonschema.Draft202012Validator(schema)
    try:
        return validator.is_valid(json.loads(text))
    except TypeError:
        # A keyword of a wrong type that says nothing of the derived value: ours passes it over, the validator stumbles.
        with pytest.raises(jsonschema.SchemaError):
            validator.check_schema(schema)
        return True


@by_dice(compiled=0.4, NotSupported=0.1, InvalidField=0.05)
def test_a_schema_is_refused_or_kept(dice: random.Random) -> str:
    schema = SchemaMaker(dice.getrandbits(63)).schema()
    try:
        text = compile_schema(schema, "schema")
    except (NotSupported, InvalidField) as error:
        return type(error).__name__
    derived = read(text).derive(dice, budget=60)
    assert valid(schema, derived), f"{schema} does not allow {derived}"
    return "compiled"


KEYS = ("type", "properties", "items", "enum", "$ref", "minimum", "anyOf", "a")
LEAVES = (None, True, False, 0, -1, 7, 2**63, 10**40, 0.5, -0.0, 5e-324, 1e308, float("inf"), float("nan"))
TEXTS = ("", "string", "object", "array", "null", "#", "#/a", "#/properties/a")


def some_json(dice: random.Random, depth: int = 3) -> Any:
    kind = dice.randrange(5 if depth else 3)
    if kind == 4:
        return [some_json(dice, depth - 1) for _ in range(dice.randrange(4))]
    if kind == 3:
        return {key: some_json(dice, depth - 1) for key in dice.choices(KEYS, k=dice.randrange(4))}
    return (dice.choice(LEAVES), dice.choice(TEXTS), some_text(dice, 8))[kind]


@by_dice(2_000, compiled=0.02, refused=0.5)
def test_what_is_no_schema_is_refused_without_a_crash(dice: random.Random) -> str:
    schema = some_json(dice) if dice.random() < 0.5 else {key: some_json(dice, 2) for key in dice.sample(KEYS, 2)}
    try:
        text = compile_schema(schema, "schema")
    except (NotSupported, InvalidField):
        return "refused"
    assert text.startswith("root ::= ")
    return "compiled"
