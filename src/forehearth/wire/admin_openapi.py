"""The OpenAPI document of `/admin`: made of its endpoint table and of the types that are read and shown there."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from forehearth.core.endpoint import Endpoint
from forehearth.wire.admin_asked import ACCEPTED, CREATED, MOST, NO_CONTENT, OK
from forehearth.wire.admin_backends import BackendsPage
from forehearth.wire.admin_bodies import DEFAULT_LIMIT, AdminFailure, AuditView, KeyView, NewKey, Rotation
from forehearth.wire.admin_cache import CachesPage
from forehearth.wire.admin_connections import (
    ConnectionBody,
    ConnectionsPage,
    ConnectionView,
    NewConnection,
    ResealedView,
)
from forehearth.wire.admin_enrichments import EnrichmentView, ReportView
from forehearth.wire.admin_requests import RequestView
from forehearth.wire.admin_roles import AssignmentView, NewAssignment
from forehearth.wire.admin_runs import RunEvents, RunsPage, WholeRunView
from forehearth.wire.admin_usage import UsagePage

VERSION = "3.1.0"
_JSON = "application/json"
_TEMPLATE = "#/components/schemas/{name}"
_ALWAYS = (400, 401, 403, 503)
_OF_AN_ID = 404
_OF_BODIES = (413, 415)
_IN_DOUBT = 502
"""A change of which the store did not say whether it was made."""
_ALSO: Mapping[str, tuple[int, ...]] = {
    "keys.create": (409,),
    "keys.rotate": (409, 412),
    "keys.revoke": (412,),
    "roles.assign": (409,),
    "roles.remove": (409,),
    "usage.show": (409,),
    "connections.create": (409,),
    "connections.replace": (409,),
    "connections.delete": (409,),
    "connections.reseal": (409,),
    "requests.get": (409,),
    "enrichments.create": (409,),
    "enrichments.list": (409,),
    "enrichments.get": (409,),
    "enrichments.cancel": (409,),
    "enrichments.report": (409,),
    "enrichments.delete": (409,),
}


class _Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint reads and shows."""

    summary: str
    answer: type | None = None
    """None where the answer has no body."""
    status: int = OK
    listed: bool = False
    """Whether the answer is a page of them, with a link to the next one."""
    body: type | None = None
    required: bool = True
    """Whether the body may not be left out."""


_SHAPES: Mapping[str, _Shape] = {
    "keys.list": _Shape(summary="The keys, newest first.", answer=KeyView, listed=True),
    "keys.create": _Shape(
        summary="Make a key. Its text is shown this once.", answer=KeyView, status=CREATED, body=NewKey
    ),
    "keys.get": _Shape(summary="One key, by its id or its name.", answer=KeyView),
    "keys.revoke": _Shape(summary="Revoke a key, or one of its secrets.", status=NO_CONTENT),
    "keys.rotate": _Shape(
        summary="Give a key a new secret beside the one before.", answer=KeyView, body=Rotation, required=False
    ),
    "roles.list": _Shape(summary="The role assignments, newest first.", answer=AssignmentView, listed=True),
    "roles.assign": _Shape(summary="Give a role.", answer=AssignmentView, status=CREATED, body=NewAssignment),
    "roles.get": _Shape(summary="One role assignment.", answer=AssignmentView),
    "roles.remove": _Shape(summary="Take a role away.", status=NO_CONTENT),
    "audit.list": _Shape(summary="Who did what, newest first.", answer=AuditView, listed=True),
    "backends.list": _Shape(summary="How the backends are, as one worker knows them.", answer=BackendsPage),
    "cache.show": _Shape(summary="What each deployment's cache holds, over all workers.", answer=CachesPage),
    "cache.purge": _Shape(summary="Empty the caches in every worker.", status=NO_CONTENT),
    "usage.show": _Shape(summary="What calls used and cost.", answer=UsagePage),
    "requests.get": _Shape(summary="One request, explained.", answer=RequestView),
    "runs.list": _Shape(summary="The newest runs, the latest begun first.", answer=RunsPage),
    "runs.get": _Shape(summary="One run: its steps, items, tools, tokens and times.", answer=WholeRunView),
    "runs.events": _Shape(summary="What a run told.", answer=RunEvents),
    "connections.list": _Shape(summary="The connections of a project, by name.", answer=ConnectionsPage),
    "connections.create": _Shape(
        summary="Make a connection.", answer=ConnectionView, status=CREATED, body=NewConnection
    ),
    "connections.get": _Shape(summary="One connection, without its credentials.", answer=ConnectionView),
    "connections.replace": _Shape(
        summary="Write a connection anew, its credentials included.", answer=ConnectionView, body=ConnectionBody
    ),
    "connections.delete": _Shape(summary="Remove a connection.", status=NO_CONTENT),
    "connections.reseal": _Shape(summary="Encrypt all credentials anew, with a new key.", answer=ResealedView),
    "enrichments.list": _Shape(summary="Jobs of enrichment, newest first.", answer=EnrichmentView, listed=True),
    "enrichments.create": _Shape(
        summary="Have a job of enrichment run, as its file says.", answer=EnrichmentView, status=ACCEPTED, body=dict
    ),
    "enrichments.get": _Shape(summary="How a job of enrichment is.", answer=EnrichmentView),
    "enrichments.cancel": _Shape(
        summary="End it in good order: what landed stays.", answer=EnrichmentView, status=ACCEPTED
    ),
    "enrichments.report": _Shape(summary="What became of it, with its course and some rows.", answer=ReportView),
    "enrichments.delete": _Shape(summary="Show it no more.", status=NO_CONTENT),
    "openapi.get": _Shape(summary="This document.", answer=dict),
}
_TEXT, _TIME = {"type": "string"}, {"type": "string", "format": "date-time"}
_PARAMETERS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "resource": ("The resource that is meant; the one of the Host, unless given.", _TEXT),
    "limit": (
        "Entries of one page.",
        {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT},
    ),
    "after": ("The id or the number of the last entry of the page before.", _TEXT),
    "name": ("Only the key of that name.", _TEXT),
    "secret": ("Only the secret of that id.", _TEXT),
    "role": ("Only assignments of that role.", _TEXT),
    "principalId": ("Only assignments to that user, group, application or key.", _TEXT),
    "since": ("Only what was done since then.", _TIME),
    "actor": ("Only what they did.", _TEXT),
    "action": ("Only that.", _TEXT),
    "deployment": ("Only of that deployment.", _TEXT),
    "project": ("Only of that project.", _TEXT),
    "caller": ("Only what is kept for that caller.", _TEXT),
    "from": ("Only calls since then.", _TIME),
    "to": ("Only calls before then.", _TIME),
    "by": ("What calls are told apart by, joined with commas.", {"type": "string", "default": "deployment"}),
    "key": ("Only calls with the key of that name or id.", _TEXT),
    "product": ("Only calls of that product.", _TEXT),
    "format": (
        "As JSON; usage as a table, too, and a report as a page.",
        {"type": "string", "enum": ["json", "csv", "html"], "default": "json"},
    ),
    "deed": (
        "What is wanted of the job.",
        {"type": "string", "enum": ["run", "resume", "retry", "plan"], "default": "run"},
    ),
    "sample": ("Prompts that a plan asks.", {"type": "integer", "minimum": 0, "maximum": 1000, "default": 20}),
}


_OPERATION_ID: Mapping[str, object] = {
    "name": "Operation-Id",
    "in": "header",
    "description": "The id of the operation; asked again under it, nothing is begun twice.",
    "schema": _TEXT,
}


def document(endpoints: Sequence[Endpoint], parameters: Mapping[str, frozenset[str]], version: str) -> dict[str, Any]:
    """The document of these endpoints; `parameters` are those of each, by its name."""
    types = {AdminFailure} | {each for shape in _SHAPES.values() for each in (shape.answer, shape.body) if each}
    _, components = msgspec.json.schema_components(
        sorted(types - {dict}, key=lambda each: each.__name__), ref_template=_TEMPLATE
    )
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        written = _operation(endpoint, parameters[endpoint.name])
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = written
    return {
        "openapi": VERSION,
        "info": {"title": "Forehearth administration", "version": version},
        "security": [{"key": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(endpoint: Endpoint, parameters: frozenset[str]) -> dict[str, Any]:
    shape = _SHAPES[endpoint.name]
    written: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": shape.summary,
        "parameters": [_parameter(name) for name in sorted(parameters)],
        "responses": _responses(endpoint, shape),
    }
    if endpoint.name == "enrichments.create":
        written["parameters"].append(_OPERATION_ID)
    if "{id}" in endpoint.path:
        written["parameters"].insert(0, {"name": "id", "in": "path", "required": True, "schema": _TEXT})
    if shape.body is not None:
        written["requestBody"] = {"required": shape.required, "content": {_JSON: {"schema": _schema(shape.body)}}}
    return written


def _parameter(name: str) -> dict[str, Any]:
    words, form = _PARAMETERS[name]
    return {"name": name, "in": "query", "description": words, "schema": form}


def _responses(endpoint: Endpoint, shape: _Shape) -> dict[str, Any]:
    failed = {"content": {_JSON: {"schema": _reference(AdminFailure)}}}
    statuses = [*_ALWAYS, *(_OF_BODIES if shape.body else ()), *_ALSO.get(endpoint.name, ())]
    if "{id}" in endpoint.path:
        statuses.append(_OF_AN_ID)
    if endpoint.method != "GET":
        statuses.append(_IN_DOUBT)
    said = {str(status): {"description": HTTPStatus(status).phrase} | failed for status in sorted(statuses)}
    return {str(shape.status): _answer(endpoint, shape)} | said


def _answer(endpoint: Endpoint, shape: _Shape) -> dict[str, Any]:
    good: dict[str, Any] = {"description": HTTPStatus(shape.status).phrase}
    if shape.answer is None:
        return good
    schema = _schema(shape.answer)
    if shape.listed:
        schema = {
            "type": "object",
            "required": ["value"],
            "properties": {"value": {"type": "array", "items": schema}, "nextLink": {"type": "string"}},
        }
    good["content"] = {_JSON: {"schema": schema}}
    if endpoint.name == "usage.show":
        good["content"]["text/csv"] = {"schema": _TEXT}
    if endpoint.name == "enrichments.report":
        good["content"]["text/html"] = {"schema": _TEXT}
    return good


def _schema(kind: type) -> dict[str, Any]:
    return {"type": "object"} if kind is dict else _reference(kind)


def _reference(kind: type) -> dict[str, str]:
    return {"$ref": _TEMPLATE.format(name=kind.__name__)}
