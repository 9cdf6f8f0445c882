"""The operations of an OpenAPI document that a caller gave (3.0 or 3.1, as JSON), as functions for a model.

What could not be called rightly is refused when the document is read, with the place and what to do about it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from forehearth.core.errors import AddressRefused, InvalidField, NotSupported
from forehearth.core.tool import OpenApiTool, ToolSpec, model_name
from forehearth.core.web_address import read
from forehearth.tools.pointers import Node, Pointers
from forehearth.tools.schemas import Budget, Schemas

MOST_OPERATIONS: Final = 128
MOST_BYTES: Final = 1024 * 1024
"""Bytes of a document."""
MOST_SCHEMA_BYTES: Final = 64 * 1024
"""Bytes of one function's parameters."""
LONGEST_DESCRIPTION: Final = 4_096
_METHODS: Final = ("get", "put", "post", "delete", "patch", "options", "head")
_VERSION: Final = re.compile(r"3\.[01](\.[0-9]+)?")
_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
_JSON: Final = re.compile(r"application/([a-z0-9.+-]+\+)?json(;.*)?", re.IGNORECASE)
_NOT_PARAMETERS: Final = frozenset({"accept", "content-type", "authorization"})
"""Headers that OpenAPI says are none of an operation's parameters."""
_STYLES: Final = {
    "path": ("simple",), "header": ("simple",), "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
}  # fmt: skip

Location = Literal["path", "query", "header"]


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter; `key` is what a model calls it by."""

    key: str
    name: str
    location: Location
    required: bool
    style: str
    explode: bool
    as_json: bool
    """Whether its value is sent as JSON text."""
    integer: bool
    default: Any = msgspec.UNSET
    """What is always sent, where the model is not asked."""


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON body of an operation."""

    key: str
    media_type: str
    required: bool


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """An operation, ready to be called. `url` is where its API is, without a slash at the end."""

    spec: ToolSpec
    method: str
    url: str
    path: str
    parameters: tuple[Parameter, ...]
    body: Body | None


def read_operations(tool: OpenApiTool) -> list[Operation]:
    """All operations. Raises `InvalidField`, `NotSupported` and `AddressRefused`, each with the place."""
    return _Reader(tool).operations()


class _Reader:
    def __init__(self, tool: OpenApiTool) -> None:
        self._where = tool.param or "openapi.spec"
        self._tool = tool
        self._document = tool.document
        self._pointers = Pointers(tool.document, self._where)
        self._budget = Budget()

    def operations(self) -> list[Operation]:
        """All of them, once the document's bounds are checked."""
        self._check()
        found: dict[str, Operation] = {}
        for place, path, method, shared, operation in self._each():
            read_one = self._operation(place, path, method, shared, operation)
            if read_one.spec.name in found:
                raise self._pointers.wrong(
                    place, f"its operationId is, as a function's name '{read_one.spec.name}', there twice"
                )
            found[read_one.spec.name] = read_one
            if len(found) > MOST_OPERATIONS:
                raise self._pointers.wrong("paths", f"there are more than {MOST_OPERATIONS} operations")
        if not found:
            raise self._pointers.wrong("paths", "there are no operations")
        self._check_defaults(found)
        return list(found.values())

    def _check(self) -> None:
        try:
            size = len(msgspec.json.encode(self._document))
        except RecursionError:
            raise self._pointers.wrong("", "it is nested too deeply") from None
        if size > MOST_BYTES:
            raise self._pointers.wrong("", f"it has more than {MOST_BYTES} bytes")
        version = self._document.get("openapi")
        if not isinstance(version, str) or not _VERSION.fullmatch(version):
            raise self._pointers.wrong("openapi", "documents of OpenAPI 3.0 and 3.1 are served")

    def _check_defaults(self, found: Mapping[str, Operation]) -> None:
        there = {each.name for one in found.values() for each in one.parameters if each.default is not msgspec.UNSET}
        missing = sorted(self._tool.default_params - there)
        if missing:
            raise InvalidField(
                f"'default_params' has '{missing[0]}', which is no parameter with a default in '{self._where}'.",
                param=self._where,
            )

    def _each(self) -> Iterator[tuple[str, str, str, Node, Node]]:
        paths = self._document.get("paths")
        if not isinstance(paths, Mapping):
            raise self._pointers.wrong("paths", "it is missing")
        for path, item in paths.items():
            if path.startswith("x-"):
                continue
            shared = self._pointers.follow(item, f"paths/{path}")
            for method in _METHODS:
                if method in shared:
                    place = f"paths/{path}/{method}"
                    yield place, path, method, shared, self._pointers.follow(shared[method], place)

    def _operation(self, place: str, path: str, method: str, shared: Node, operation: Node) -> Operation:
        name = operation.get("operationId")
        if not isinstance(name, str) or not name:
            raise self._pointers.wrong(place, "it needs an operationId, by which a model calls it")
        schemas = Schemas(self._pointers, self._budget, old=str(self._document["openapi"]).startswith("3.0"))
        properties: dict[str, Any] = {}
        parameters = [
            self._parameter(one, at, schemas, properties) for one, at in self._parameters(place, shared, operation)
        ]
        body = self._body(operation, place, schemas, properties)
        self._check_path(path, parameters, place)
        required = [each.key for each in parameters if each.required and each.key in properties]
        if body is not None and body.required:
            required.append(body.key)
        return Operation(
            spec=ToolSpec(
                name=model_name(name),
                description=_description(operation),
                parameters=self._bounded(_function(properties, required, schemas.definitions), place),
                read_only=method in {"get", "head", "options"},
            ),
            method=method.upper(),
            url=self._url(operation, shared, place),
            path=path,
            parameters=tuple(parameters),
            body=body,
        )

    def _parameters(self, place: str, shared: Node, operation: Node) -> Iterator[tuple[Node, str]]:
        """Those of the path and of the operation; the latter stand in for the former of the same name."""
        found: dict[tuple[str, str], tuple[Node, str]] = {}
        for source in (shared, operation):
            given = source.get("parameters", [])
            if not isinstance(given, list):
                raise self._pointers.wrong(f"{place}/parameters", "it is not a list")
            for position, each in enumerate(given):
                at = f"{place}/parameters/{position}"
                one = self._pointers.follow(each, at)
                name, location = one.get("name"), one.get("in")
                if not isinstance(name, str) or not name or not isinstance(location, str):
                    raise self._pointers.wrong(at, "it has no name or no 'in'")
                if location != "header" or name.lower() not in _NOT_PARAMETERS:
                    found[name, location] = (one, at)
        yield from found.values()

    def _parameter(self, one: Node, at: str, schemas: Schemas, properties: dict[str, Any]) -> Parameter:
        name, location = one["name"], one["in"]
        if location not in _STYLES:
            raise self._unsupported(at, f"parameters in '{location}'")
        content = one.get("content")
        given = one.get("schema", True)
        if isinstance(content, Mapping) and content:
            media = next(iter(content))
            if not _JSON.fullmatch(media):
                raise self._unsupported(at, f"parameters of the type '{media}'")
            given = self._pointers.follow(content[media], at).get("schema", True)
        schema = schemas.rewritten(given, f"{at}/schema")
        style = one.get("style", _STYLES[location][0])
        if style not in _STYLES[location]:
            raise self._unsupported(at, f"parameters of the style '{style}' in '{location}'")
        key = _free(name, location, properties)
        default: Any = msgspec.UNSET
        if name in self._tool.default_params and isinstance(schema, dict) and "default" in schema:
            default = schema["default"]
        else:
            properties[key] = _described(schema, one.get("description"))
        return Parameter(
            key=key,
            name=name,
            location=location,
            required=one.get("required") is True or location == "path",
            style=style,
            explode=one.get("explode", style == "form") is True,
            as_json=isinstance(content, Mapping),
            integer=isinstance(schema, dict) and schema.get("type") == "integer",
            default=default,
        )

    def _body(self, operation: Node, place: str, schemas: Schemas, properties: dict[str, Any]) -> Body | None:
        if "requestBody" not in operation:
            return None
        at = f"{place}/requestBody"
        body = self._pointers.follow(operation["requestBody"], at)
        content = body.get("content")
        kinds = list(content) if isinstance(content, Mapping) else []
        media = next((kind for kind in kinds if _JSON.fullmatch(kind)), None)
        if media is None:
            raise self._unsupported(at, f"bodies of the type '{kinds[0] if kinds else ''}', only JSON,")
        schema = self._pointers.follow(body["content"][media], at).get("schema", True)
        key = "body" if "body" not in properties else "request_body"
        properties[key] = _described(schemas.rewritten(schema, f"{at}/schema"), body.get("description"))
        return Body(key=key, media_type=media, required=body.get("required") is True)

    def _check_path(self, path: str, parameters: list[Parameter], place: str) -> None:
        wanted = set(_VARIABLE.findall(path))
        there = {each.name for each in parameters if each.location == "path"}
        if not path.startswith("/"):
            raise self._pointers.wrong(place, "a path begins with '/'")
        if wanted != there:
            name = min(wanted ^ there)
            raise self._pointers.wrong(place, f"'{name}' is not both in the path and among its parameters")

    def _url(self, operation: Node, shared: Node, place: str) -> str:
        """The first server's address, its variables at their defaults."""
        servers = next((each["servers"] for each in (operation, shared, self._document) if each.get("servers")), None)
        if not isinstance(servers, list) or not isinstance(servers[0], Mapping):
            raise self._pointers.wrong("servers", "it has to say where the API is, as [{url: https://…}]")
        variables = servers[0].get("variables", {})

        def default(found: re.Match[str]) -> str:
            variable = variables.get(found[1]) if isinstance(variables, Mapping) else None
            value = variable.get("default") if isinstance(variable, Mapping) else None
            if not isinstance(value, str):
                raise self._pointers.wrong("servers", f"the variable '{found[1]}' has no default")
            return value

        url = _VARIABLE.sub(default, str(servers[0].get("url", ""))).rstrip("/")
        try:
            address = read(url)
        except AddressRefused as error:
            error.param = self._where
            raise
        if "?" in address.target:
            raise self._pointers.wrong(place, "the address of its server has a query")
        return address.url.rstrip("/")

    def _bounded(self, schema: dict[str, Any], place: str) -> dict[str, Any]:
        if len(msgspec.json.encode(schema)) > MOST_SCHEMA_BYTES:
            raise self._pointers.wrong(place, f"its parameters take more than {MOST_SCHEMA_BYTES} bytes of schema")
        return schema

    def _unsupported(self, place: str, what: str) -> NotSupported:
        return NotSupported(
            f"'{self._where}' has, at '{place}', what is not served: {what}. Take the operation out of the document.",
            param=self._where,
        )


def _function(properties: dict[str, Any], required: list[str], definitions: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    if definitions:
        schema["$defs"] = definitions
    return schema


def _free(name: str, location: str, taken: Mapping[str, Any]) -> str:
    found = name if name not in taken else f"{name}_{location}"
    while found in taken:
        found += "_"
    return found


def _described(schema: Any, description: Any) -> Any:
    if isinstance(description, str) and description and isinstance(schema, dict) and "description" not in schema:
        return {**schema, "description": description[:LONGEST_DESCRIPTION]}
    return schema


def _description(operation: Node) -> str | None:
    texts = [text for name in ("description", "summary") if isinstance(text := operation.get(name), str) and text]
    return texts[0][:LONGEST_DESCRIPTION] if texts else None
