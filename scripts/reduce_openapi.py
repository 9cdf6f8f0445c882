"""Reduces an OpenAPI document to the schemas that tests check against: structure alone, no prose and no examples.

Usage: scripts/reduce-openapi DOCUMENT SCHEMA... > tests/conformance/schemas/openai/NAME.json. What the named schemas
refer to comes along. The vendor's document is not part of this repository; tests/conformance/schemas/openai/SOURCE.md
says where it is from.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

KEPT = frozenset(
    {"type", "required", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "pattern"}
    | {"minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "$ref"}
)
"""Keywords of JSON Schema that are taken over as they are."""
LISTS = ("anyOf", "oneOf", "allOf")
SINGLES = ("items", "additionalProperties", "not")
PREFIX = "#/components/schemas/"


def main(document: str, *roots: str) -> int:
    """Print the reduced schemas."""
    loaded = yaml.load(Path(document).read_text("utf-8"), Loader=yaml.CSafeLoader)
    schemas = loaded["components"]["schemas"]
    info = loaded["info"]
    reduced = reduce(schemas, roots)
    head = {"source": info["title"], "version": info["version"], "licence": info["license"]["name"]}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(reduced[name])}" for name in sorted(reduced))
    print(f'{json.dumps(head)[:-1]}, "schemas": {{\n{lines}\n}}}}')
    return 0


def reduce(schemas: Mapping[str, Any], roots: tuple[str, ...]) -> dict[str, Any]:
    """The named schemas, and all that they refer to."""
    found: dict[str, Any] = {}
    wanted = list(roots)
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = _reduced(schemas[name])
            wanted += references(found[name])
    return found


def references(schema: Any) -> Iterator[str]:
    """The names that a schema refers to."""
    if isinstance(schema, dict):
        target = schema.get("$ref")
        if isinstance(target, str):
            yield target.removeprefix(PREFIX)
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def _reduced(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    kept = {name: schema[name] for name in sorted(KEPT & schema.keys())}
    if "properties" in schema:
        kept["properties"] = {name: _reduced(value) for name, value in schema["properties"].items()}
    kept |= {name: [_reduced(each) for each in schema[name]] for name in LISTS if name in schema}
    return kept | {name: _reduced(schema[name]) for name in SINGLES if name in schema}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
