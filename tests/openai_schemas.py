"""What OpenAI's document says of its objects, closed: a member that it does not list is an error.

The document leaves its objects open. A reply of ours is held against the same schemas with `additionalProperties`
false wherever members are listed, so that one with a member too many fails as one with a member too few does.
"""

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.conformance.openapi import Document

PREFIX = "#/components/schemas/"
NUMBER = {"type": "number"}
NULL = {"type": "null"}
DEPARTURES: dict[str, dict[str, Any]] = {
    # What replies of the running service have, though the document does not: see its own examples, and the objects of
    # Azure. Null stands for what is not there (yet): the document says so of most members, but not of these.
    "Response": {
        "usage": {"anyOf": [{"$ref": f"{PREFIX}ResponseUsage"}, NULL]},
        "user": {"anyOf": [{"type": "string"}, NULL]},
        "prompt_cache_options": {"anyOf": [{"$ref": f"{PREFIX}PromptCacheOptions"}, NULL]},
        "store": {"type": "boolean"},
        "frequency_penalty": NUMBER,
        "presence_penalty": NUMBER,
    },
    # An empty list has no first and no last id.
    "ResponseItemList": {"first_id": {"type": ["string", "null"]}, "last_id": {"type": ["string", "null"]}},
}
NOT_ON_THE_WIRE = {"Response": {"output_text"}}
"""Members that only the vendor's SDKs add."""


@cache
def document() -> Document:
    """The reduced schemas, closed, with the departures."""
    found = Document("openai-responses.json")
    for name, also in DEPARTURES.items():
        found.depart(name, also)
    return found


@cache
def validator(name: str) -> Draft202012Validator:
    """Checks values against the closed schema of that name."""
    return document().validator(name)


@cache
def events() -> dict[str, str]:
    """The schema of each type of event."""
    schemas = document().schemas
    names = [each["$ref"].removeprefix(PREFIX) for each in schemas["ResponseStreamEvent"]["anyOf"]]
    return {schemas[name]["properties"]["type"]["enum"][0]: name for name in names}


def members(name: str) -> set[str]:
    """Every member that an object can have."""
    return document().members(name) - NOT_ON_THE_WIRE.get(name, set())


def problems(name: str, value: Any) -> list[str]:
    """What is wrong with a value; empty where nothing is."""
    return [f"{error.json_path}: {error.message[:300]}" for error in validator(name).iter_errors(value)]


def check(name: str, value: Any) -> None:
    """Fails where the value is not as the document says."""
    assert problems(name, value) == []


def check_event(event: dict[str, Any]) -> None:
    """Fails where the event is not as the document says."""
    check(events()[event["type"]], event)
