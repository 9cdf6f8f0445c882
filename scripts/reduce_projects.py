"""Reduces the document of the project endpoint to what tests hold replies against: structure, every object closed.

    python -m scripts.reduce_projects DOCUMENT --source 'WHOSE, VERSION, LICENCE' '/agents' … > OUT

The document is one that was read out of a client: what a class inherits stands in `allOf`, and which class is meant in
a discriminator. Both are resolved here, so that an object can be closed: a member that its class does not have fails.
Of the kinds in `ONLY` no others are kept. A member that need not be there may be null, as the client's classes have it,
and a page has all of its members, but for `nextLink`.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
ONLY = {
    "AgentDefinition": ("prompt",),
    "Tool": ("function", "mcp", "openapi", "capture_structured_outputs"),
    "ToolDefinition": ("function",),
    "RunStepToolCall": ("function",),
    "RunStepDeltaToolCall": ("function",),
}
"""By the class with the discriminator: the kinds that this server gives back."""
_KEPT = ("type", "enum", "minimum", "maximum")
_PREFIX = "#/components/schemas/"

Schema = dict[str, Any]


class Reducer:
    """Resolves the classes of one document. `found` are those that were asked for, by name."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas
        self.found: dict[str, Schema] = {}

    def reduce(self, schema: Schema) -> Schema:
        """What may stand where the document has this schema."""
        if "$ref" in schema:
            return self._named(schema["$ref"].removeprefix(_PREFIX))
        if "anyOf" in schema:
            return {"anyOf": [self.reduce(each) for each in schema["anyOf"]]}
        if "allOf" in schema and "properties" not in schema and len(schema["allOf"]) == 1:
            return self.reduce(schema["allOf"][0])
        if "allOf" in schema or "properties" in schema:
            closed = self._closed(*self._members(schema))
            closed["additionalProperties"] = self._others(schema)
            if "x-page-item" in schema:
                closed["required"] = [name for name in closed["properties"] if name != "nextLink"]
            return closed
        kept: Schema = {key: schema[key] for key in _KEPT if key in schema}
        for key in ("items", "additionalProperties"):
            if isinstance(schema.get(key), dict):
                kept[key] = self.reduce(schema[key])
        return kept

    def _named(self, name: str) -> Schema:
        """A reference to the class, or to each of those that its discriminator chooses from."""
        schema = self._schemas[name]
        mapping = schema.get("discriminator", {}).get("mapping", {})
        kinds = ONLY.get(name, tuple(mapping))
        if mapping:
            return {"anyOf": [self._named(mapping[kind].removeprefix(_PREFIX)) for kind in kinds]}
        if name not in self.found:
            self.found[name] = {}  # a class may refer to itself
            self.found[name] = self.reduce({k: v for k, v in schema.items() if k != "discriminator"})
        return {"$ref": f"#/schemas/{name}"}

    def _members(self, schema: Schema) -> tuple[dict[str, Schema], list[str]]:
        """All members of a class, inherited ones first, and the names of those that have to be there."""
        if "$ref" in schema:
            return self._members(self._schemas[schema["$ref"].removeprefix(_PREFIX)])
        members: dict[str, Schema] = {}
        required: list[str] = []
        for each in schema.get("allOf", ()):
            inherited, needed = self._members(each)
            members |= inherited
            required += needed
        return members | schema.get("properties", {}), [*required, *schema.get("required", ())]

    def _others(self, schema: Schema) -> Schema | bool:
        """What members of other names may be, which is hardly ever anything."""
        for each in (schema, *schema.get("allOf", ())):
            others = each.get("additionalProperties")
            if isinstance(others, dict):
                return self.reduce(others)
        return False

    def _closed(self, members: Mapping[str, Schema], required: list[str]) -> Schema:
        properties = {
            name: each if name in required else {"anyOf": [each, {"type": "null"}]}
            for name, each in ((name, self.reduce(schema)) for name, schema in members.items())
        }
        return {
            "type": "object",
            "properties": properties,
            "required": sorted(set(required)),
        }


def reduced(document: Schema, paths: list[str], source: str) -> Schema:
    """The replies of the operations at these paths. Raises `KeyError` for a path that the document does not have."""
    reducer = Reducer(document["components"]["schemas"])
    operations: dict[str, dict[str, Schema | None]] = {}
    for path in paths:
        for method in METHODS:
            if method in document["paths"][path]:
                responses = document["paths"][path][method]["responses"]
                operations[f"{method.upper()} {path}"] = {
                    status: _of(reducer, response) for status, response in responses.items()
                }
    return {"source": source, "operations": operations, "schemas": dict(sorted(reducer.found.items()))}


def _of(reducer: Reducer, response: Schema) -> Schema | None:
    content = response.get("content", {}).get("application/json")
    return None if content is None else reducer.reduce(content["schema"])


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("document", type=Path)
    parser.add_argument("--source", required=True, help="whose it is, which version, under which licence")
    parser.add_argument("paths", nargs="+")
    asked = parser.parse_args()
    document = json.loads(asked.document.read_text())
    sys.stdout.write(json.dumps(reduced(document, asked.paths, asked.source), indent=1) + "\n")


if __name__ == "__main__":
    main()
