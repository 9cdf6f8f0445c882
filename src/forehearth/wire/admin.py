"""`/admin`: keys and the audit log, for operators.

Everything here is decided on the raw path, as it was sent: a path that needs decoding is none of ours. Who calls is
asked before anything else; then what they ask for, and whether they may; only then is a body read.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import cast

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from forehearth.admin.office import Actor, Office
from forehearth.core.endpoint import Endpoint
from forehearth.core.errors import (
    BodyTooLarge,
    ForehearthError,
    InvalidField,
    MalformedBody,
    MethodNotAllowed,
    PathNotFound,
    PermissionDenied,
    UnsupportedMediaType,
)
from forehearth.core.exchange import Header, Reply
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.core.principal import Principal
from forehearth.core.trace import Trace
from forehearth.identity.access import require
from forehearth.wire import admin_bodies as bodies
from forehearth.wire.envelope import JSON
from forehearth.wire.verdict import verdict

PREFIX = b"/admin"
TRACE = "forehearth.trace"
"""Where a request's `Trace` is in its scope."""
_DEFAULT_LIMIT, _MOST = 20, 100
_OK, _CREATED, _NO_CONTENT = 200, 201, 204
_NO_STORE: Header = (b"cache-control", b"no-store")


def _endpoint(method: str, path: str, name: str) -> Endpoint:
    return Endpoint(method=method, path=path, permission=Permission.ADMINISTER, name=name)


ENDPOINTS = (
    _endpoint("GET", "/admin/keys", "keys.list"),
    _endpoint("POST", "/admin/keys", "keys.create"),
    _endpoint("GET", "/admin/keys/{id}", "keys.get"),
    _endpoint("DELETE", "/admin/keys/{id}", "keys.revoke"),
    _endpoint("POST", "/admin/keys/{id}/rotate", "keys.rotate"),
    _endpoint("GET", "/admin/audit", "audit.list"),
)
_PARAMETERS: Mapping[str, frozenset[str]] = {
    "keys.list": frozenset({"resource", "limit", "after", "name"}),
    "keys.revoke": frozenset({"resource", "secret"}),
    "audit.list": frozenset({"resource", "limit", "after", "since", "actor", "action"}),
}
_ONLY_RESOURCE = frozenset({"resource"})


class AdminRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent. The body is asked for once it is clear who calls and that they may."""

    method: str
    path: bytes
    query: bytes
    body: Callable[[], Awaitable[bytes]]


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for, by somebody who may."""

    actor: Actor
    resource: str
    id: str
    query: Mapping[str, str]
    body: Callable[[], Awaitable[bytes]]


class AdminPages:
    """The endpoints, without a server around them."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._handlers: Mapping[str, Callable[[_Asked], Awaitable[Reply]]] = {
            "keys.list": self._list_keys,
            "keys.create": self._create_key,
            "keys.get": self._get_key,
            "keys.revoke": self._revoke_key,
            "keys.rotate": self._rotate_key,
            "audit.list": self._list_audit,
        }

    def resource(self, query: bytes, default: str) -> str:
        """The resource whose credentials are asked for: what the query names, where that is one."""
        try:
            named = bodies.query(query, _PARAMETERS["audit.list"] | _PARAMETERS["keys.list"] | {"secret"})
        except ForehearthError:
            return default
        found = named.get("resource", default)
        return found if found in self._office.tenants else default

    async def answer(self, asked: AdminRequest, actor: Actor, default: str) -> Reply:
        """Answer what `actor` asks; `default` is the resource where the query names none."""
        try:
            endpoint, key = _find(asked.method, asked.path)
            await self._require(actor, endpoint, self.resource(asked.query, default), key)
            query = bodies.query(asked.query, _PARAMETERS.get(endpoint.name, _ONLY_RESOURCE))
            resource = query.get("resource", default)
            if resource not in self._office.tenants:
                raise InvalidField(f"There is no resource '{resource[:100]}'.", param="resource")
            handler = self._handlers[endpoint.name]
            return await handler(_Asked(actor=actor, resource=resource, id=key, query=query, body=asked.body))
        except ForehearthError as error:
            return refusal(error)

    async def _require(self, actor: Actor, endpoint: Endpoint, resource: str, key: str) -> None:
        try:
            require(actor.principal, endpoint, Place(resource=resource))
        except PermissionDenied as error:
            await self._office.audit.refused(actor, endpoint.name, resource, key, error)
            raise

    async def _list_keys(self, asked: _Asked) -> Reply:
        limit = bodies.count(asked.query.get("limit"), default=_DEFAULT_LIMIT, most=_MOST)
        page = await self._office.keys.page(
            asked.resource, name=asked.query.get("name"), after=asked.query.get("after"), limit=limit
        )
        now = self._office.clock.unix()
        shown = tuple(bodies.KeyView.of(each, now) for each in page.records)
        return _reply(_OK, bodies.Page(value=shown, next_link=_next("/admin/keys", asked.query, page.after)))

    async def _create_key(self, asked: _Asked) -> Reply:
        wanted = bodies.read(await asked.body(), bodies.NewKey)
        issued = await self._office.keys.create(asked.actor, asked.resource, wanted.scope())
        view = bodies.KeyView.of(issued.record, self._office.clock.unix(), issued.key.reveal())
        return _reply(_CREATED, view, (b"location", f"/admin/keys/{issued.record.id}".encode()))

    async def _get_key(self, asked: _Asked) -> Reply:
        record = await self._office.keys.get(asked.resource, asked.id)
        return _reply(_OK, bodies.KeyView.of(record, self._office.clock.unix()))

    async def _rotate_key(self, asked: _Asked) -> Reply:
        wanted = bodies.read(await asked.body() or b"{}", bodies.Rotation)
        issued = await self._office.keys.rotate(
            asked.actor, asked.resource, asked.id, overlap=wanted.overlap_seconds, at_once=wanted.now
        )
        return _reply(_OK, bodies.KeyView.of(issued.record, self._office.clock.unix(), issued.key.reveal()))

    async def _revoke_key(self, asked: _Asked) -> Reply:
        await self._office.keys.revoke(asked.actor, asked.resource, asked.id, asked.query.get("secret"))
        return Reply(status=_NO_CONTENT, headers=(_NO_STORE,))

    async def _list_audit(self, asked: _Asked) -> Reply:
        raise NotImplementedError


Authorise = Callable[[Request, str], Awaitable[Principal]]
"""Who sends a request, as a resource knows them. Raises `NotAuthenticated`, or `PermissionDenied` for the place of a
key; what they may do is asked here."""


class AdminRoute(BaseRoute):
    """`/admin` in a Starlette application. Its scopes carry the request's `Trace` under `TRACE`."""

    def __init__(self, pages: AdminPages, authorise: Authorise, resource_of: Callable[[bytes], str]) -> None:
        self._pages = pages
        self._authorise = authorise
        self._resource_of = resource_of

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See Starlette."""
        ours = scope["type"] == "http" and (scope["raw_path"] == PREFIX or scope["raw_path"].startswith(PREFIX + b"/"))
        return (Match.FULL if ours else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Starlette."""
        reply = await self._answered(Request(scope, receive))
        response = Response(reply.body, reply.status)
        response.raw_headers = [each for each in response.raw_headers if each[0] == b"content-length"] + [
            *reply.headers
        ]
        await response(scope, receive, send)

    async def _answered(self, request: Request) -> Reply:
        scope = request.scope
        default = self._resource_of(request.headers.get("host", "").encode("latin-1"))
        try:
            principal = await self._authorise(request, self._pages.resource(scope["query_string"], default))
        except ForehearthError as error:
            return refusal(error)
        trace = cast("Trace", scope[TRACE])
        asked = AdminRequest(
            method=scope["method"],
            path=scope["raw_path"],
            query=scope["query_string"],
            body=lambda: _body(request),
        )
        return await self._pages.answer(asked, Actor(principal=principal, request_id=trace.request_id), default)


def refusal(error: ForehearthError) -> Reply:
    """No, in the form of Azure's core."""
    said = verdict(error)
    content: dict[str, object] = {"code": said.code, "message": said.message}
    if said.param is not None:
        content["target"] = said.param
    headers = (JSON, _NO_STORE, (b"x-ms-error-code", said.code.encode()), *said.headers)
    return Reply(status=said.status, headers=headers, body=msgspec.json.encode({"error": content}))


def _find(method: str, path: bytes) -> tuple[Endpoint, str]:
    """The endpoint, and the id that its path names. Raises `PathNotFound` or `MethodNotAllowed`."""
    parts = path.split(b"/")
    there = [(each, name) for each in ENDPOINTS if (name := _fits(each.path.encode().split(b"/"), parts)) is not None]
    if not there:
        raise PathNotFound(f"Resource not found. There are {', '.join(f'{e.method} {e.path}' for e in ENDPOINTS)}.")
    for endpoint, name in there:
        if endpoint.method == method:
            return endpoint, name
    allowed = tuple(sorted(endpoint.method for endpoint, _ in there))
    raise MethodNotAllowed(f"{method} is not served here; {' and '.join(allowed)} are.", allowed=allowed)


def _fits(form: list[bytes], parts: list[bytes]) -> str | None:
    """The id in a path of that form, or an empty one; None where the path has another form."""
    if len(form) != len(parts):
        return None
    found = ""
    for want, part in zip(form, parts, strict=True):
        if want == b"{id}" and part.replace(b"_", b"").isalnum():
            found = part.decode("ascii")
        elif want != part:
            return None
    return found


async def _body(request: Request) -> bytes:
    """The whole body, within bounds. Raises the `Refused` that fits."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("The body is compressed. Send it as it is, without Content-Encoding.")
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > bodies.LONGEST_BODY:
                raise BodyTooLarge(f"The body is longer than {bodies.LONGEST_BODY} bytes.")
    except ClientDisconnect:
        raise MalformedBody("The body broke off.") from None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/json":
        raise UnsupportedMediaType("The body must be JSON: send it with content-type: application/json.")
    return bytes(body)


def _reply(status: int, content: msgspec.Struct, *headers: Header) -> Reply:
    return Reply(status=status, headers=(JSON, _NO_STORE, *headers), body=msgspec.json.encode(content))
