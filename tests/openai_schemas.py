"""What OpenAI's document says of its objects, closed: a member that it does not list is an error.

The document leaves its objects open. A reply of ours is held against the same schemas with `additionalProperties`
false wherever members are listed, so that one with a member too many fails as one with a member too few does.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

HERE = Path(__file__).parent / "conformance" / "schemas"
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
def schemas(name: str = "openai-responses") -> dict[str, Any]:
    """The reduced schemas of one file, as they are."""
    found: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text("utf-8"))["schemas"]
    return found


@cache
def closed() -> dict[str, Any]:
    """The same, closed."""
    return {name: _closed(schema, DEPARTURES.get(name, {})) for name, schema in schemas().items()}


@cache
def validator(name: str) -> Draft202012Validator:
    """Checks values against the closed schema of that name."""
    return Draft202012Validator({"$ref": PREFIX + name, "components": {"schemas": closed()}})


@cache
def events() -> dict[str, str]:
    """The schema of each type of event."""
    names = [each["$ref"].removeprefix(PREFIX) for each in schemas()["ResponseStreamEvent"]["anyOf"]]
    return {schemas()[name]["properties"]["type"]["enum"][0]: name for name in names}


def members(name: str) -> set[str]:
    """Every member that an object can have."""
    return set(closed()[name]["properties"]) - NOT_ON_THE_WIRE.get(name, set())


def problems(name: str, value: Any) -> list[str]:
    """What is wrong with a value; empty where nothing is."""
    return [f"{error.json_path}: {error.message[:300]}" for error in validator(name).iter_errors(value)]


def check(name: str, value: Any) -> None:
    """Fails where the value is not as the document says."""
    assert problems(name, value) == []


def check_event(event: dict[str, Any]) -> None:
    """Fails where the event is not as the document says."""
    check(events()[event["type"]], event)


def _closed(schema: Any, also: dict[str, Any] | None = None) -> Any:
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "allOf" in schema:
        schema = _merged(schema)
    made = {("anyOf" if name == "oneOf" else name): value for name, value in schema.items() if name != "properties"}
    made = {name: _closed(value) if name in {"anyOf", "items", "not"} else value for name, value in made.items()}
    if "properties" in schema:
        made["properties"] = {name: _closed(value) for name, value in schema["properties"].items()} | (also or {})
        made.setdefault("additionalProperties", False)
    return made


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    """One object in place of `allOf`: closed parts would exclude each other."""
    parts = [_merged(_target(each)) for each in schema.get("allOf", ())] + [schema]
    properties: dict[str, Any] = {}
    required: set[str] = set()
    for part in parts:
        properties |= part.get("properties", {})
        required |= set(part.get("required", ()))
    rest = {name: value for name, value in schema.items() if name not in {"allOf", "properties", "required"}}
    return {"type": "object", **rest, "properties": properties, "required": sorted(required)}


def _target(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref")
    found: dict[str, Any] = schema if name is None else schemas()[name.removeprefix(PREFIX)]
    return found
