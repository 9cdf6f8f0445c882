"""A reduced OpenAPI document as validators that close every object: a member that it does not name is a fault."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

HERE = Path(__file__).parent / "schemas"
_REFERENCE = "#/components/schemas/"

Schema = dict[str, Any]


class Document:
    """A file of `tests/conformance/schemas`, made by `scripts.reduce_openapi`."""

    def __init__(self, file: str) -> None:
        self._document = json.loads((HERE / file).read_text())
        self.schemas: Mapping[str, Schema] = self._document["schemas"]
        self._closed = {name: self._close(schema) for name, schema in self.schemas.items()}

    @property
    def paths(self) -> list[str]:
        """Those it has."""
        return list(self._document["paths"])

    def methods(self, path: str) -> list[str]:
        """In capitals."""
        return [each.upper() for each in self._document["paths"][path]]

    def answer(self, method: str, path: str, status: int = 200) -> Draft202012Validator:
        """What an operation answers with."""
        operation = self._document["paths"][path][method.lower()]
        return self.validator(operation["answers"][str(status)])

    def validator(self, schema: Schema | str) -> Draft202012Validator:
        """Of a schema, or of the one of that name."""
        wanted = {"$ref": _REFERENCE + schema} if isinstance(schema, str) else schema
        return Draft202012Validator(self._close(wanted) | {"components": {"schemas": self._closed}})

    def members(self, name: str) -> set[str]:
        """Every member that an object of that name can have."""
        return set(self._closed[name]["properties"])

    def depart(self, name: str, properties: Mapping[str, Schema]) -> None:
        """Let members of an object be otherwise than the document says, or there at all."""
        self._closed[name]["properties"] |= properties

    def variants(self, name: str) -> set[str]:
        """The values of `type` that a union of kinds has."""
        return set(self._types({"$ref": _REFERENCE + name}))

    def _types(self, schema: Schema) -> list[str]:
        schema = self._whole(schema)
        parts = [each for union in ("oneOf", "anyOf", "allOf") for each in schema.get(union, ())]
        own = schema.get("properties", {}).get("type", {})
        return [*self._values(own), *(kind for part in parts for kind in self._types(part))]

    def _values(self, of_type: Schema) -> list[str]:
        return [value for each in (of_type, *of_type.get("anyOf", ())) for value in each.get("enum", ())]

    def _close(self, schema: Any) -> Any:
        if isinstance(schema, list):
            return [self._close(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        if "allOf" in schema:
            schema = self._merged(schema)
        closed = {key: self._close(value) for key, value in schema.items() if key != "properties"}
        if "properties" not in schema:
            return closed
        properties = {name: self._close(each) for name, each in schema["properties"].items()}
        # The vendor requires some members that it does not describe: they may be there.
        undescribed = [name for name in schema.get("required", ()) if name not in properties]
        closed["required"] = [name for name in schema.get("required", ()) if name in properties]
        closed["properties"] = properties | {name: {} for name in undescribed}
        return {"additionalProperties": False} | closed

    def _merged(self, schema: Schema) -> Schema:
        """All parts of an `allOf` as one object, so that it can be closed."""
        merged: Schema = {"type": "object", "properties": {}, "required": []}
        for part in (*schema["allOf"], {key: value for key, value in schema.items() if key != "allOf"}):
            whole = self._whole(part)
            whole = self._merged(whole) if "allOf" in whole else whole
            assert set(whole) <= {"type", "properties", "required"}, set(whole)
            for name, each in whole.get("properties", {}).items():
                both = [merged["properties"][name], each] if name in merged["properties"] else [each]
                merged["properties"][name] = both[0] if len(both) == 1 or both[0] == both[1] else both[1]
            merged["required"] += whole.get("required", ())
        return merged

    def _whole(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            schema = self.schemas[schema["$ref"].removeprefix(_REFERENCE)]
        return schema
