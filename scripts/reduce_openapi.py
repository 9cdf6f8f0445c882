"""Reduces an OpenAPI document to what tests check of some of its paths, and writes that as JSON.

    python -m scripts.reduce_openapi DOCUMENT OUT --source 'WHOSE, VERSION, LICENCE' /conversations …

    python -m scripts.reduce_openapi … --also Event /threads …

What is kept: of each path its methods, their query parameters, and the schemas of bodies of successful answers, and
of the events of a stream, with all that they refer to, and the schemas that are named by `--also`. What goes: prose,
examples and extensions. `nullable`, which no JSON Schema has, becomes a choice between null and the rest.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import yaml

METHODS = ("get", "post", "put", "patch", "delete")
_PROSE = frozenset({"description", "title", "example", "examples", "deprecated", "discriminator", "default"})
_NAMED = frozenset({"properties", "patternProperties", "$defs"})
"""Below these, keys are names of members, and no words of the schema."""
_REFERENCE = "#/components/schemas/"

Schema = dict[str, Any]


def reduced(document: Schema, paths: list[str], source: str, also: Iterable[str] = ()) -> Schema:
    """The part of the document that is about those paths. Raises `KeyError` for a path that it does not have."""
    schemas = document["components"]["schemas"]
    operations = {path: _operations(document["paths"][path]) for path in paths}
    wanted, found = [*_references(operations), *also], dict[str, Schema]()
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = plain(schemas[name])
            wanted += _references(found[name])
    return {"source": source, "paths": operations, "schemas": dict(sorted(found.items()))}


def plain(schema: Any, *, names: bool = False) -> Any:
    """The same without prose. `names` where the keys are names of members."""
    if isinstance(schema, list):
        return [plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if not names and schema.get("nullable") is True:
        return _or_null({key: value for key, value in schema.items() if key != "nullable"})
    if not names and {"nullable": True} in schema.get("allOf", ()):
        others = [each for each in schema["allOf"] if each != {"nullable": True}]
        rest = {key: value for key, value in schema.items() if key != "allOf"}
        return _or_null(rest | (others[0] if len(others) == 1 else {"allOf": others}))
    return {
        key: plain(value, names=key in _NAMED and not names)
        for key, value in schema.items()
        if names or not (key in _PROSE or key.startswith("x-"))
    }


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [plain(schema), {"type": "null"}]}


def _operations(path: Schema) -> Schema:
    return {method: _operation(path[method]) for method in METHODS if method in path}


def _operation(operation: Schema) -> Schema:
    answers = {status: _content(answer) for status, answer in operation["responses"].items() if status.startswith("2")}
    query = {each["name"]: plain(each["schema"]) for each in operation.get("parameters", ()) if each["in"] == "query"}
    found = {"query": query, "body": _content(operation.get("requestBody", {})), "answers": answers}
    events = _content(operation["responses"].get("200", {}), "text/event-stream")
    return found if events is None else found | {"events": events}


def _content(of: Schema, media: str = "application/json") -> Schema | None:
    content = of.get("content", {}).get(media)
    return None if content is None else cast("Schema", plain(content["schema"]))


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for each in schema:
            yield from _references(each)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value.removeprefix(_REFERENCE)
            else:
                yield from _references(value)


def main() -> None:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("document", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--source", required=True, help="whose it is, which version, under which licence")
    parser.add_argument("--also", action="append", default=[], help="a schema that no path refers to")
    parser.add_argument("paths", nargs="+")
    asked = parser.parse_args()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.load(asked.document.read_text(), Loader=loader)  # noqa: S506 - it is a safe one either way
    asked.out.write_text(json.dumps(reduced(document, asked.paths, asked.source, asked.also), indent=1) + "\n")


if __name__ == "__main__":
    main()
