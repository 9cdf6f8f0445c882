"""What a request to `/admin` asks for once it is let in, and what its answers are made of."""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlencode

import msgspec

from forehearth.core.endpoint import Endpoint
from forehearth.core.exchange import Header, Reply
from forehearth.core.permission import Permission
from forehearth.core.principal import Principal
from forehearth.documents.repository import Order
from forehearth.wire import admin_bodies as bodies
from forehearth.wire.envelope import JSON

MOST = 100
"""Entries of one page."""
OK, CREATED, ACCEPTED, NO_CONTENT = 200, 201, 202, 204
NO_STORE: Header = (b"cache-control", b"no-store")


class Note(msgspec.Struct, kw_only=True):
    """What the audit log will say of a request, filled in as it becomes known."""

    resource: str
    project: str = ""
    target: str = ""
    detail: str = ""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for, by somebody who may."""

    principal: Principal
    resource: str
    id: str
    """The id or the name in its path; empty where that has none."""
    query: Mapping[str, str]
    body: Callable[[], Awaitable[bytes]]
    note: Note
    headers: Mapping[bytes, bytes] = {}
    """By their names in lower case."""
    base: str = ""
    """The server as it was called: scheme and host; empty where it was not called over HTTP."""

    @property
    def order(self) -> Order:
        """Which page of a list. Raises `InvalidField`."""
        return Order(limit=bodies.count(self.query.get("limit"), most=MOST), after=self.query.get("after"))


Handler = Callable[[Asked], Awaitable[Reply]]


def admin_endpoint(method: str, path: str, name: str, *, permission: Permission = Permission.ADMINISTER) -> Endpoint:
    """A line of the table."""
    return Endpoint(method=method, path=path, permission=permission, name=name)


def page_reply(path: str, query: Mapping[str, str], shown: tuple[msgspec.Struct, ...], after: str | None) -> Reply:
    """Some of many things, and where the next ones are."""
    following = "" if after is None else f"{path}?{urlencode({**query, 'after': after})}"
    return json_reply(OK, bodies.Page(value=shown, next_link=following))


def json_reply(status: int, content: msgspec.Struct, *headers: Header) -> Reply:
    """An answer of JSON."""
    return Reply(status=status, headers=(JSON, NO_STORE, *headers), body=msgspec.json.encode(content))


def no_content() -> Reply:
    """It is done, and there is nothing to show."""
    return Reply(status=NO_CONTENT, headers=(NO_STORE,))
