"""An OpenAPI document as Swagger 2.0, for tools that import nothing newer.

What 2.0 cannot say is said more loosely: a value of one of several types has no type, and `null` is allowed where the
vendor's extension `x-nullable` says so.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

_JSON: Final = "application/json"
_FORM: Final = "multipart/form-data"
_COMPONENTS: Final = "#/components/schemas/"
_DEFINITIONS: Final = "#/definitions/"
_KEYWORDS: Final = frozenset(
    {"type", "format", "description", "default", "enum", "items", "properties", "required", "additionalProperties"}
    | {"minimum", "maximum", "multipleOf", "minLength", "maxLength", "pattern", "minItems", "maxItems"}
    | {"uniqueItems", "minProperties", "maxProperties", "allOf", "readOnly"}
)
"""What a schema of 2.0 may have; newer keywords have no place in it."""
_METHODS: Final = frozenset({"get", "put", "post", "delete", "patch"})


def swagger(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same, as Swagger 2.0."""
    server = urlsplit(document["servers"][0]["url"])
    components = document["components"]
    return {
        "swagger": "2.0",
        "info": document["info"],
        "host": server.netloc,
        "basePath": server.path or "/",
        "schemes": [server.scheme],
        "consumes": [_JSON],
        "produces": [_JSON],
        "paths": {
            path: {method: _operation(its, components["schemas"]) for method, its in item.items() if method in _METHODS}
            for path, item in document["paths"].items()
        },
        "definitions": {name: _schema(each) for name, each in components["schemas"].items()},
        "securityDefinitions": {
            "key": {"type": "apiKey", "in": "header", "name": "api-key"},
            "bearer": {"type": "apiKey", "in": "header", "name": "Authorization"},
        },
        **({"security": document["security"]} if "security" in document else {}),
    }


def _operation(its: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    content = its.get("requestBody", {}).get("content", {})
    media = next(iter(content), None)
    written: dict[str, Any] = {
        "operationId": its["operationId"].replace(".", "_"),
        "summary": its["summary"],
        "parameters": [
            *(_parameter(each) for each in its["parameters"]),
            *(_body(content[media], its["requestBody"]["required"], schemas, media) if media else ()),
        ],
        "responses": {status: _response(each) for status, each in its["responses"].items()},
    }
    if media not in (None, _JSON):
        written["consumes"] = [media]
    produced = sorted({each for response in its["responses"].values() for each in response.get("content", {})})
    if produced and produced != [_JSON]:
        written["produces"] = produced
    if "security" in its:
        written["security"] = its["security"]
    return written


def _parameter(each: Mapping[str, Any]) -> dict[str, Any]:
    schema = _schema(each["schema"])
    if schema.get("type") == "array":
        schema["collectionFormat"] = "multi"
    rest = {key: value for key, value in each.items() if key != "schema"}
    return {**rest, **schema, "required": bool(each.get("required"))}


def _body(
    content: Mapping[str, Any], required: bool, schemas: Mapping[str, Any], media: str | None
) -> list[dict[str, Any]]:
    """The body as one parameter; of a form each field is one."""
    if media != _FORM:
        return [{"name": "body", "in": "body", "required": required, "schema": _schema(content["schema"])}]
    form = schemas[content["schema"]["$ref"].removeprefix(_COMPONENTS)]
    return [
        {
            "name": name,
            "in": "formData",
            "required": name in form.get("required", ()),
            **_field(each),
        }
        for name, each in form["properties"].items()
    ]


def _field(each: Mapping[str, Any]) -> dict[str, Any]:
    """What may be in a field of a form."""
    if each.get("format") == "binary":
        return {"type": "file"}
    schema = _schema(each)
    many = {"collectionFormat": "multi"} if schema.get("type") == "array" else {}
    return {"type": "string", **schema, **many}


def _response(each: Mapping[str, Any]) -> dict[str, Any]:
    content = each.get("content", {})
    written: dict[str, Any] = {"description": each["description"]}
    media = _JSON if _JSON in content else next(iter(content), None)
    if media is not None:
        written["schema"] = _schema(content[media]["schema"])
    return written


def _schema(value: Any) -> Any:
    """A schema in the words of 2.0."""
    if isinstance(value, list):
        return [_schema(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    if "$ref" in value:
        return {"$ref": value["$ref"].replace(_COMPONENTS, _DEFINITIONS)}
    written = {key: each for key, each in value.items() if key in _KEYWORDS}
    written = {
        key: {name: _schema(each) for name, each in its.items()} if key == "properties" else _schema(its)
        for key, its in written.items()
    }
    if not written.get("required", True):
        del written["required"]  # an empty list is none there
    if "default" in written and written["default"] is None:
        del written["default"]
    if "const" in value:
        written["enum"] = [value["const"]]
    if written.get("type") == "array":
        written.setdefault("items", {})
    return written | _one_of(value.get("anyOf", value.get("oneOf", ())))


def _one_of(kinds: Any) -> dict[str, Any]:
    """What several kinds become: the only one besides null, else anything."""
    real = [each for each in kinds if each.get("type") != "null"]
    if not real:
        return {}
    found = _schema(real[0]) if len(real) == 1 else {}
    return {**found, "x-nullable": True} if len(real) < len(kinds) and "$ref" not in found else found
