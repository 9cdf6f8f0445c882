"""Any schema at all: the compiler refuses it by name, or every text derived from its grammar is valid against it."""

import json
import random
from collections import Counter
from contextlib import suppress
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forehearth.core.errors import InvalidField, NotSupported
from forehearth.embedded.schema_grammar import compile_schema
from tests.unit.embedded.gbnf_reader import read
from tests.unit.embedded.random_schemas import SchemaMaker

DERIVATIONS = 1


def valid(schema: Any, text: str) -> bool:
    validator = jsonschema.Draft202012Validator(schema)
    try:
        return validator.is_valid(json.loads(text))
    except TypeError:
        # A keyword of a wrong type that says nothing of the derived value: ours passes it over, the validator stumbles.
        with pytest.raises(jsonschema.SchemaError):
            validator.check_schema(schema)
        return True


def outcome(seed: int) -> str:
    """What became of the schema of `seed`; a derivation that is not valid against it fails."""
    schema = SchemaMaker(seed).schema()
    try:
        text = compile_schema(schema, "schema")
    except (NotSupported, InvalidField) as error:
        return f"refused {type(error).__name__}"
    grammar, chance = read(text), random.Random(seed)
    for _ in range(DERIVATIONS):
        derived = grammar.derive(chance, budget=60)
        assert valid(schema, derived), f"{schema} does not allow {derived}"
    return "compiled"


@settings(max_examples=10_000, deadline=None, database=None)
@given(st.integers(min_value=0, max_value=2**63))
def test_a_schema_is_refused_or_kept(seed: int) -> None:
    outcome(seed)


def test_the_schemas_are_worth_trying() -> None:
    counted = Counter(outcome(seed) for seed in range(1_000))
    assert counted["compiled"] > 400
    assert counted["refused NotSupported"] > 50
    assert counted["refused InvalidField"] > 20


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "enum", "$ref", "minimum", "anyOf", "a"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@settings(max_examples=2_000, deadline=None, database=None)
@given(json_values)
def test_what_is_no_schema_is_refused_without_a_crash(schema: Any) -> None:
    with suppress(NotSupported, InvalidField):
        assert compile_schema(schema, "schema").startswith("root ::= ")
