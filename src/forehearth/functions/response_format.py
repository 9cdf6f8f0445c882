"""The forms that `generate_response` takes: text, any JSON object, or JSON by a schema."""

import copy
from collections.abc import Mapping
from typing import Any, Final

_MOST_DEEP: Final = 32


def read(response_format: Any) -> tuple[str, Mapping[str, Any] | None]:
    """`""`, `text`, `json_object` or `json_schema`, the last with its schema. Raises `ValueError` for anything else."""
    if response_format is None:
        return "", None
    if hasattr(response_format, "model_json_schema"):
        return "json_schema", _flat(response_format.model_json_schema())
    form = {"type": response_format} if isinstance(response_format, str) else response_format
    kind = form.get("type") if isinstance(form, Mapping) else None
    if kind in ("text", "json_object"):
        return kind, None
    if kind == "json_schema" and isinstance(form, Mapping):
        around = form.get("json_schema", form)
        if isinstance(around, Mapping) and isinstance(around.get("schema"), Mapping):
            return kind, _flat(around["schema"])
    raise ValueError(
        "response_format is None, 'text', 'json_object', {'type': 'json_schema', 'json_schema': {'schema': {…}}} "
        "or a class of pydantic"
    )


def _flat(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same without references, and with `null` beside a type instead of in a choice of schemas."""
    named = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    bare = {name: value for name, value in schema.items() if name not in ("$defs", "definitions")}
    flat: dict[str, Any] = _written_out(copy.deepcopy(bare), named, 0)
    return flat


def _written_out(schema: Any, named: Mapping[str, Any], depth: int) -> Any:
    if depth > _MOST_DEEP:
        raise ValueError("response_format: the schema refers to itself, or is too deep")
    if isinstance(schema, list):
        return [_written_out(each, named, depth + 1) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        if name not in named:
            raise ValueError(f"response_format: the schema has no '{schema['$ref']}'")
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _written_out({**named[name], **beside}, named, depth + 1)
    if "anyOf" in schema:
        schema = _or_null({**schema, "anyOf": _written_out(schema["anyOf"], named, depth + 1)})
    return {key: _written_out(value, named, depth + 1) for key, value in schema.items()}


def _or_null(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """`X | None`, as pydantic writes it, as one schema whose type has null; anything else stays as it is."""
    others = [each for each in schema["anyOf"] if each != {"type": "null"}]
    if len(others) != 1 or len(schema["anyOf"]) == 1 or not isinstance(others[0].get("type"), str):
        return schema
    beside = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**others[0], **beside, "type": [others[0]["type"], "null"]}
