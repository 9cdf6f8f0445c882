"""`/admin`: keys, roles, the audit log, backends, caches, usage, runs and connections, for operators.

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

from forehearth import __version__
from forehearth.admin.keys import IssuedKey
from forehearth.admin.office import Actor, Office
from forehearth.core.audit import AuditQuery, AuditRecord
from forehearth.core.document import StoreFailed
from forehearth.core.endpoint import Endpoint
from forehearth.core.errors import (
    BodyTooLarge,
    Broken,
    ForehearthError,
    InvalidField,
    MalformedBody,
    NotAuthenticated,
    Overloaded,
    PermissionDenied,
    Refused,
    UnsupportedMediaType,
)
from forehearth.core.exchange import Header, Reply
from forehearth.core.place import Place
from forehearth.core.principal import Principal
from forehearth.core.refusal import Refusal
from forehearth.core.trace import Trace
from forehearth.identity.access import require
from forehearth.ports.refusals import Refusals
from forehearth.wire import admin_bodies as bodies
from forehearth.wire import admin_cache, admin_usage
from forehearth.wire.admin_asked import (
    CREATED,
    MOST,
    NO_STORE,
    OK,
    Asked,
    Handler,
    Note,
    json_reply,
    no_content,
    page_reply,
)
from forehearth.wire.admin_backends import backends_page
from forehearth.wire.admin_connections import ConnectionPages
from forehearth.wire.admin_enrichments import EnrichmentPages, details
from forehearth.wire.admin_openapi import document
from forehearth.wire.admin_requests import request_view
from forehearth.wire.admin_roles import RolePages
from forehearth.wire.admin_runs import RunPages
from forehearth.wire.admin_table import ENDPOINTS, EVERY_PARAMETER, PARAMETERS, find
from forehearth.wire.envelope import JSON
from forehearth.wire.verdict import verdict

PREFIX = b"/admin"
TRACE = "forehearth.trace"
"""Where a request's `Trace` is in its scope."""
NOWHERE = ""
"""The resource that is meant where one is named that is not there: nobody has a role in it."""
_FLUSH_SECONDS = 2.0
"""How long an answer waits for its audit record to be written."""
_UNAUTHORIZED, _FORBIDDEN = 401, 403
_STORE_AWAY = Overloaded("The store cannot be used now; nothing was changed.", retry_after=5.0)
_STORE_IN_DOUBT = Broken("The store went away before it answered: look whether it was done before you ask again.")


class AdminRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent. The body is asked for once it is clear who calls and that they may."""

    method: str
    path: bytes
    query: bytes
    body: Callable[[], Awaitable[bytes]]
    headers: Mapping[bytes, bytes] = {}
    base: str = ""


class AdminPages:
    """The endpoints, without a server around them."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._handlers: Mapping[str, Handler] = {
            "keys.list": self._list_keys,
            "keys.create": self._create_key,
            "keys.get": self._get_key,
            "keys.revoke": self._revoke_key,
            "keys.rotate": self._rotate_key,
            "audit.list": self._list_audit,
            "backends.list": self._list_backends,
            "cache.show": self._show_caches,
            "cache.purge": self._purge_caches,
            **RolePages(office).handlers,
            "usage.show": self._show_usage,
            "requests.get": self._get_request,
            **RunPages(office).handlers,
            **ConnectionPages(office).handlers,
            **EnrichmentPages(office).handlers,
            "openapi.get": self._get_document,
        }

    def resource(self, query: bytes, default: str) -> str:
        """The resource whose credentials are asked for: what the query names, or `NOWHERE` where there is none such."""
        try:
            found = bodies.query(query, EVERY_PARAMETER).get("resource", default)
        except Refused:
            return default
        return found if found in self._office.tenants else NOWHERE

    async def answer(self, asked: AdminRequest, actor: Actor, default: str) -> Reply:
        """Answer what `actor` asks; `default` is the resource where the query names none."""
        try:
            endpoint, key = find(asked.method, asked.path)
        except Refused as error:
            return refusal(error)
        resource = self.resource(asked.query, default)
        note = Note(resource=resource or default, target=key)
        try:
            self._require(actor.principal, endpoint, resource, asked.query)
            reply = await self._answer(endpoint, asked, actor.principal, note)
        except ForehearthError as error:
            note.detail = error.message
            reply = refusal(error)
        except StoreFailed as error:
            note.detail = "the store could not be used" + (", and may have done it" if error.uncertain else "")
            reply = refusal(_STORE_IN_DOUBT if error.uncertain else _STORE_AWAY)
        if endpoint.method != "GET" or reply.status == _FORBIDDEN:
            await self._note(endpoint, actor, note, reply.status)
        return reply

    def _require(self, principal: Principal, endpoint: Endpoint, resource: str, query: bytes) -> None:
        """Pass who may do this there. To whom not all is open, a resource of others is as one that is not there."""
        everywhere = (Place(resource=each) for each in self._office.tenants)
        if resource == NOWHERE and all(
            endpoint.permission is not None and principal.may(endpoint.permission, each) for each in everywhere
        ):
            name = bodies.query(query, EVERY_PARAMETER)["resource"]
            raise InvalidField(f"There is no resource '{name[:100]}'.", param="resource")
        require(principal, endpoint, Place(resource=resource))

    async def _answer(self, endpoint: Endpoint, asked: AdminRequest, principal: Principal, note: Note) -> Reply:
        query = bodies.query(asked.query, PARAMETERS[endpoint.name])
        return await self._handlers[endpoint.name](
            Asked(
                principal=principal,
                resource=note.resource,
                id=note.target,
                query=query,
                body=asked.body,
                note=note,
                headers=asked.headers,
                base=asked.base,
            )
        )

    async def _note(self, endpoint: Endpoint, actor: Actor, note: Note, status: int) -> None:
        principal = actor.principal
        who = f"by {principal.id}" if principal.id not in ("", principal.name) else ""
        self._office.audit.record(
            AuditRecord(
                at=self._office.clock.unix(),
                request_id=actor.request_id,
                resource=note.resource,
                project=note.project,
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

    async def _list_keys(self, asked: Asked) -> Reply:
        found = await self._office.keys.page(asked.resource, asked.order, asked.query.get("name"))
        now = self._office.clock.unix()
        shown = tuple(bodies.KeyView.of(each, now) for each in found.records)
        return page_reply("/admin/keys", asked.query, shown, found.after)

    async def _create_key(self, asked: Asked) -> Reply:
        wanted = bodies.read(await asked.body(), bodies.NewKey)
        asked.note.target = wanted.name
        tenant = self._office.tenants[asked.resource]
        issued = await self._office.keys.create(asked.principal, asked.resource, tenant, wanted.scope())
        asked.note.target, asked.note.detail = issued.record.id, bodies.in_words(issued.record)
        return self._issued(issued, CREATED, (b"location", f"/admin/keys/{issued.record.id}".encode()))

    async def _get_key(self, asked: Asked) -> Reply:
        record = await self._office.keys.get(asked.resource, asked.id)
        return json_reply(OK, bodies.KeyView.of(record, self._office.clock.unix()))

    async def _rotate_key(self, asked: Asked) -> Reply:
        wanted = bodies.read(await asked.body() or b"{}", bodies.Rotation)
        issued = await self._office.keys.rotate(
            asked.principal, asked.resource, asked.id, overlap=wanted.overlap_seconds, at_once=wanted.now
        )
        asked.note.target, asked.note.detail = issued.record.id, bodies.in_words(issued.record)
        return self._issued(issued, OK)

    async def _revoke_key(self, asked: Asked) -> Reply:
        secret = asked.query.get("secret")
        record = await self._office.keys.revoke(asked.principal, asked.resource, asked.id, secret)
        asked.note.target = record.id
        asked.note.detail = f"{record.name}, its secret {secret}" if secret else record.name
        return no_content()

    async def _list_audit(self, asked: Asked) -> Reply:
        limit = bodies.count(asked.query.get("limit"), most=MOST)
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
        return page_reply("/admin/audit", asked.query, shown, shown[-1].id if len(found) > limit else None)

    async def _list_backends(self, asked: Asked) -> Reply:
        return json_reply(OK, backends_page(self._office, asked.resource))

    async def _show_caches(self, asked: Asked) -> Reply:
        return json_reply(OK, admin_cache.caches_page(self._office, asked.resource))

    async def _purge_caches(self, asked: Asked) -> Reply:
        asked.note.detail = await admin_cache.purge(self._office, asked.resource, asked.query)
        return no_content()

    async def _show_usage(self, asked: Asked) -> Reply:
        kind, body = await admin_usage.usage(self._office, asked.resource, asked.query)
        return Reply(status=OK, headers=(kind, NO_STORE), body=body)

    async def _get_request(self, asked: Asked) -> Reply:
        return json_reply(OK, await request_view(self._office, asked.resource, asked.id))

    async def _get_document(self, asked: Asked) -> Reply:  # noqa: ARG002 - it is the same for everybody
        body = msgspec.json.encode(description(__version__))
        return Reply(status=OK, headers=(JSON, NO_STORE), body=body)

    def _issued(self, issued: IssuedKey, status: int, *headers: Header) -> Reply:
        view = bodies.KeyView.of(issued.record, self._office.clock.unix(), issued.key.reveal())
        return json_reply(status, view, *headers)


Authorise = Callable[[Request, str], Awaitable[Principal]]
"""Who sends a request, as a resource knows them. Raises `NotAuthenticated`, or `PermissionDenied` for the place of a
key; what they may do is asked here."""


class AdminRoute(BaseRoute):
    """`/admin` in a Starlette application. Its scopes carry the request's `Trace` under `TRACE`."""

    def __init__(
        self,
        pages: AdminPages,
        authorise: Authorise,
        resource_of: Callable[[bytes], str],
        refusals: Refusals | None = None,
    ) -> None:
        self._pages = pages
        self._authorise = authorise
        self._resource_of = resource_of
        self._refusals = refusals

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
        resource = self._pages.resource(scope["query_string"], default)
        trace = cast("Trace", scope[TRACE])
        try:
            principal = await self._authorise(request, resource)
        except ForehearthError as error:
            reply = refusal(error)
            if self._refusals is not None and isinstance(error, NotAuthenticated | PermissionDenied):
                self._refusals.refused(_told(error, scope, resource or default, reply.status))
            return reply
        asked = AdminRequest(
            method=scope["method"],
            path=scope["raw_path"],
            query=scope["query_string"],
            body=lambda: _body(request),
            headers=dict(scope["headers"]),
            base=f"{scope['scheme']}://{request.headers.get('host', '')}",
        )
        return await self._pages.answer(asked, Actor(principal=principal, request_id=trace.request_id), default)


def _told(error: NotAuthenticated | PermissionDenied, scope: Scope, resource: str, status: int) -> Refusal:
    """What is known of somebody who is not let in."""
    try:
        operation = find(scope["method"], scope["raw_path"])[0].name
    except Refused:
        operation = PREFIX[1:].decode()
    client = scope.get("client")
    return Refusal(
        request_id=scope[TRACE].request_id,
        resource=resource,
        operation=operation,
        principal=error.principal,
        address=client[0] if client else "",
        status=status,
        reason=error.message,
    )


def description(version: str) -> dict[str, object]:
    """All of this as an OpenAPI document; `version` is the program's."""
    return document(ENDPOINTS, PARAMETERS, version)


def refusal(error: ForehearthError) -> Reply:
    """No, in the form of Azure's core."""
    said = verdict(error)
    body = bodies.AdminFailure(
        error=bodies.AdminError(code=said.code, message=said.message, target=said.param, details=details(error))
    )
    headers = (JSON, NO_STORE, (b"x-ms-error-code", said.code.encode()), *said.headers)
    return Reply(status=said.status, headers=headers, body=msgspec.json.encode(body))


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
