"""The OpenAPI documents of the surfaces: their endpoint tables, and what is known of each endpoint, put together.

What is in no table is in no document.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from forehearth.core.endpoint import Endpoint
from forehearth.wire.described import BYTES, JSON, Described, described
from forehearth.wire.description_schemas import Schema, reference, schemas
from forehearth.wire.paths import DATED
from forehearth.wire.summaries import summary

VERSION: Final = "3.1.0"
EVENTS: Final = "text/event-stream"
_NAMES: Final = re.compile(r"\{(\w+)\}")
_LINK: Final = re.compile(r"\[([^\]]+)\]\([^)]+\)")
_DEPLOYMENTS: Final = "/deployments/{deployment}/"
_TEXT: Final[Schema] = {"type": "string"}
_BYTES: Final[Schema] = {"type": "string", "format": "binary"}
_ALWAYS: Final = (400, 401, 403, 404, 405, 500, 502, 503)
"""Refusals and failures that every endpoint may answer with."""
_OF_BODIES: Final = (408, 409, 412, 413, 415, 429, 501, 507)
_OF_MODELS: Final = (424, 504)
_QUERY: Final[Mapping[str, Schema]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100},
    "order": {"type": "string", "enum": ["asc", "desc"]},
    "stream": {"type": "string", "enum": ["true", "false"]},
    "starting_after": {"type": "integer", "minimum": 0},
    "maxpagesize": {"type": "integer", "minimum": 1, "maximum": 100},
    "defaultConnection": {"type": "string", "enum": ["true", "false"]},
    "include": {"type": "array", "items": {"type": "string"}},
}
"""Parameters of a query that are more than any text."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A surface, as its document tells of it."""

    title: str
    surface: str
    """As the tables of endpoints call it."""
    base: str
    """What its paths begin with; the document has what follows, below the server's address and this."""
    error: str
    """The schema of what it says no with."""
    named_versions: tuple[str, ...] = ()
    """What an `api-version` may be besides a date."""
    version_needed: str | None = None
    """An `api-version` that has to be sent; None where it may be left out."""
    optional_below: str = "\0"
    """The beginning of paths at which it may be left out all the same."""
    headers: Mapping[str, tuple[str, ...]] = {}
    """Headers of a request that mean something at an endpoint of this surface, by its name."""


def document(told: Told, endpoints: Sequence[Endpoint], *, server: str, version: str) -> dict[str, Any]:
    """The document of a surface at the address `server`; `version` is the program's."""
    names: set[str] = set()
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        below = endpoint.path.removeprefix(told.base)
        name = _operation_id(endpoint, names)
        names.add(name)
        paths.setdefault(below, {})[endpoint.method.lower()] = _operation(told, endpoint, name, below)
    return {
        "openapi": VERSION,
        "info": {"title": told.title, "version": version},
        "servers": [{"url": server.rstrip("/") + told.base}],
        "paths": paths,
        "components": {
            "schemas": _used(paths),
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation_id(endpoint: Endpoint, taken: Iterable[str]) -> str:
    """A name that no other operation has: the endpoint's, and more where it is served at several paths."""
    name = endpoint.name
    if _DEPLOYMENTS in endpoint.path and name in taken:
        name += "_of_deployment"
    number = 2
    while name in taken:
        name = f"{endpoint.name}_{number}"
        number += 1
    return name


def _operation(told: Told, endpoint: Endpoint, name: str, below: str) -> dict[str, Any]:
    its = described(endpoint)
    written: dict[str, Any] = {
        "operationId": name,
        "summary": _words(summary(endpoint)),
        "parameters": _parameters(told, endpoint, its, below),
        "responses": _responses(told, its),
        "security": _security(endpoint),
    }
    if its.reads is not None:
        written["requestBody"] = {
            "required": its.needs_body,
            "content": {its.media: {"schema": reference(its.reads)}},
        }
    if its.reads_json is not None:
        written["requestBody"]["content"][JSON] = {"schema": reference(its.reads_json)}
    return written


def _security(endpoint: Endpoint) -> list[dict[str, list[str]]]:
    if endpoint.permission is None:
        return []
    return [{"key": []}, {"bearer": []}] if endpoint.keys else [{"bearer": []}]


def _parameters(told: Told, endpoint: Endpoint, its: Described, below: str) -> list[dict[str, Any]]:
    named = [
        {"name": each, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for each in _NAMES.findall(below)
    ]
    needed = told.version_needed is not None and not below.startswith(told.optional_below) and below != "/"
    form: dict[str, Any] = {"type": "string", "pattern": f"^({'|'.join((*told.named_versions, DATED))})$"}
    if told.version_needed is not None:
        form["default"] = told.version_needed
    api_version = {"name": "api-version", "in": "query", "required": needed, "schema": form}
    asked = [{"name": each, "in": "query", "schema": _QUERY.get(each, _TEXT)} for each in its.query]
    heads = (*its.headers, *told.headers.get(endpoint.name, ()))
    return [*named, api_version, *asked, *({"name": each, "in": "header", "schema": _TEXT} for each in heads)]


def _responses(told: Told, its: Described) -> dict[str, Any]:
    good: dict[str, Any] = {"description": HTTPStatus(its.status).phrase}
    if its.answers == BYTES:
        good["content"] = {BYTES: {"schema": _BYTES}}
    elif its.answers is not None:
        good["content"] = {its.answers_media: {"schema": reference(its.answers)}}
    for media in its.answers_also:
        good["content"][media] = {"schema": _BYTES if media.startswith("audio/") else _TEXT}
    if its.streams:
        good["content"][EVENTS] = {"schema": _TEXT}
    statuses = {*_ALWAYS, *(_OF_BODIES if its.reads else ()), *(_OF_MODELS if its.asks_models else ())}
    no = {"content": {JSON: {"schema": reference(told.error)}}}
    said = {str(status): {"description": HTTPStatus(status).phrase, **no} for status in sorted(statuses)}
    if its.asks_models:
        said["default"] = {"description": "What the model's host refused it with.", **no}
    return {str(its.status): good, **said}


def _used(paths: Mapping[str, Any]) -> dict[str, Schema]:
    """The schemas that the operations name, and those that these name."""
    every, found = schemas(), dict[str, Schema]()
    waiting = [*_references(paths)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = every[name]
            waiting += _references(every[name])
    return {name: found[name] for name in sorted(found)}


def _references(value: object) -> Iterable[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key == "$ref":
                yield str(each).rpartition("/")[2]
            else:
                yield from _references(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _references(each)


def _words(text: str) -> str:
    """A sentence without marks and links."""
    plain = _LINK.sub(r"\1", text).replace("`", "")
    return f"{plain[:1].upper()}{plain[1:]}."
