"""`/admin`: keys and the audit log, for operators.

Everything here is decided on the raw path, as it was sent: a path that needs decoding is none of ours. Who calls is
asked before anything else; then what they ask for, and whether they may; only then is a body read.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import cast
from urllib.parse import urlencode

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from forehearth.admin.keys import IssuedKey
from forehearth.admin.office import Actor, Office
from forehearth.core.audit import AuditQuery, AuditRecord
from forehearth.core.document import StoreFailed
from forehearth.core.endpoint import Endpoint
from forehearth.core.errors import (
    BodyTooLarge,
    ForehearthError,
    InvalidField,
    MalformedBody,
    MethodNotAllowed,
    Overloaded,
    PathNotFound,
    Refused,
    UnsupportedMediaType,
)
from forehearth.core.exchange import Header, Reply
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.core.principal import Principal
from forehearth.core.trace import Trace
from forehearth.documents.repository import Order
from forehearth.identity.access import require
from forehearth.wire import admin_bodies as bodies
from forehearth.wire.envelope import JSON
from forehearth.wire.verdict import verdict

PREFIX = b"/admin"
TRACE = "forehearth.trace"
"""Where a request's `Trace` is in its scope."""
_MOST = 100
"""Entries of one page."""
_FLUSH_SECONDS = 2.0
"""How long an answer waits for its audit record to be written."""
_OK, _CREATED, _NO_CONTENT, _UNAUTHORIZED, _FORBIDDEN = 200, 201, 204, 401, 403
_STORE_AWAY = Overloaded("The store cannot be used now; nothing was changed.", retry_after=5.0)
_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""A key's id or its name. None of them has anything to decode in it."""
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
_ONLY_RESOURCE = frozenset({"resource"})
_PARAMETERS: Mapping[str, frozenset[str]] = {
    "keys.list": frozenset({"resource", "limit", "after", "name"}),
    "keys.revoke": frozenset({"resource", "secret"}),
    "audit.list": frozenset({"resource", "limit", "after", "since", "actor", "action"}),
}
_EVERY_PARAMETER = _ONLY_RESOURCE.union(*_PARAMETERS.values())


class AdminRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent. The body is asked for once it is clear who calls and that they may."""

    method: str
    path: bytes
    query: bytes
    body: Callable[[], Awaitable[bytes]]


class _Note(msgspec.Struct, kw_only=True):
    """What the audit log will say of a request, filled in as it becomes known."""

    resource: str
    target: str = ""
    detail: str = ""


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for, by somebody who may."""

    principal: Principal
    resource: str
    key: str
    query: Mapping[str, str]
    body: Callable[[], Awaitable[bytes]]
    note: _Note


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
            found = bodies.query(query, _EVERY_PARAMETER).get("resource", default)
        except Refused:
            return default
        return found if found in self._office.tenants else default

    async def answer(self, asked: AdminRequest, actor: Actor, default: str) -> Reply:
        """Answer what `actor` asks; `default` is the resource where the query names none."""
        try:
            endpoint, key = _find(asked.method, asked.path)
        except Refused as error:
            return refusal(error)
        note = _Note(resource=self.resource(asked.query, default), target=key)
        try:
            reply = await self._answer(endpoint, asked, actor.principal, note)
        except Refused as error:
            note.detail = error.message
            reply = refusal(error)
        except StoreFailed:
            note.detail = "the store could not be used"
            reply = refusal(_STORE_AWAY)
        if endpoint.method != "GET" or reply.status == _FORBIDDEN:
            await self._note(endpoint, actor, note, reply.status)
        return reply

    async def _answer(self, endpoint: Endpoint, asked: AdminRequest, principal: Principal, note: _Note) -> Reply:
        require(principal, endpoint, Place(resource=note.resource))
        query = bodies.query(asked.query, _PARAMETERS.get(endpoint.name, _ONLY_RESOURCE))
        if query.get("resource", note.resource) != note.resource:
            raise InvalidField(f"There is no resource '{query['resource'][:100]}'.", param="resource")
        return await self._handlers[endpoint.name](
            _Asked(
                principal=principal,
                resource=note.resource,
                key=note.target,
                query=query,
                body=asked.body,
                note=note,
            )
        )

    async def _note(self, endpoint: Endpoint, actor: Actor, note: _Note, status: int) -> None:
        principal = actor.principal
        who = f"by {principal.id}" if principal.id not in ("", principal.name) else ""
        self._office.audit.record(
            AuditRecord(
                at=self._office.clock.unix(),
                request_id=actor.request_id,
                resource=note.resource,
                actor=principal.name,
                actor_kind=principal.kind,
                action=endpoint.name,
                target=note.target,
                allowed=status not in (_UNAUTHORIZED, _FORBIDDEN),
                status=status,
                detail="; ".join(each for each in (who, note.detail) if each),
            )
        )
        await self._office.audit.flush(_FLUSH_SECONDS)

    async def _list_keys(self, asked: _Asked) -> Reply:
        order = Order(limit=bodies.count(asked.query.get("limit"), most=_MOST), after=asked.query.get("after"))
        page = await self._office.keys.page(asked.resource, order, asked.query.get("name"))
        now = self._office.clock.unix()
        shown = tuple(bodies.KeyView.of(each, now) for each in page.records)
        return _page("/admin/keys", asked.query, shown, page.after)

    async def _create_key(self, asked: _Asked) -> Reply:
        wanted = bodies.read(await asked.body(), bodies.NewKey)
        asked.note.target = wanted.name
        tenant = self._office.tenants[asked.resource]
        issued = await self._office.keys.create(asked.principal, asked.resource, tenant, wanted.scope())
        asked.note.target, asked.note.detail = issued.record.id, bodies.in_words(issued.record)
        return self._issued(issued, _CREATED, (b"location", f"/admin/keys/{issued.record.id}".encode()))

    async def _get_key(self, asked: _Asked) -> Reply:
        record = await self._office.keys.get(asked.resource, asked.key)
        return _reply(_OK, bodies.KeyView.of(record, self._office.clock.unix()))

    async def _rotate_key(self, asked: _Asked) -> Reply:
        wanted = bodies.read(await asked.body() or b"{}", bodies.Rotation)
        issued = await self._office.keys.rotate(
            asked.principal, asked.resource, asked.key, overlap=wanted.overlap_seconds, at_once=wanted.now
        )
        asked.note.target, asked.note.detail = issued.record.id, bodies.in_words(issued.record)
        return self._issued(issued, _OK)

    async def _revoke_key(self, asked: _Asked) -> Reply:
        secret = asked.query.get("secret")
        record = await self._office.keys.revoke(asked.principal, asked.resource, asked.key, secret)
        asked.note.target = record.id
        asked.note.detail = f"{record.name}, its secret {secret}" if secret else record.name
        return Reply(status=_NO_CONTENT, headers=(_NO_STORE,))

    async def _list_audit(self, asked: _Asked) -> Reply:
        limit = bodies.count(asked.query.get("limit"), most=_MOST)
        query = AuditQuery(
            resource=asked.resource,
            actor=asked.query.get("actor"),
            action=asked.query.get("action"),
            since=bodies.since(asked.query.get("since")),
            before=bodies.sequence(asked.query.get("after")),
            limit=limit + 1,
        )
        found = await self._office.audit.page(query)
        shown = tuple(bodies.AuditView.of(each) for each in found[:limit])
        return _page("/admin/audit", asked.query, shown, shown[-1].id if len(found) > limit else None)

    def _issued(self, issued: IssuedKey, status: int, *headers: Header) -> Reply:
        view = bodies.KeyView.of(issued.record, self._office.clock.unix(), issued.key.reveal())
        return _reply(status, view, *headers)


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
        if want == b"{id}" and _ID.fullmatch(part):
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


def _page(path: str, query: Mapping[str, str], shown: tuple[msgspec.Struct, ...], after: str | None) -> Reply:
    following = "" if after is None else f"{path}?{urlencode({**query, 'after': after})}"
    return _reply(_OK, bodies.Page(value=shown, next_link=following))


def _reply(status: int, content: msgspec.Struct, *headers: Header) -> Reply:
    return Reply(status=status, headers=(JSON, _NO_STORE, *headers), body=msgspec.json.encode(content))
