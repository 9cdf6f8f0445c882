"""`/openapi/NAME.json`: what each surface serves, as an OpenAPI document for tools that import it.

Nobody is asked who they are: the documents say what the program's own documentation says, and nothing of what is
configured.
"""

from collections.abc import Mapping, Sequence
from functools import cache, partial
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from forehearth import __version__
from forehearth.server import served
from forehearth.wire import admin
from forehearth.wire.descriptions import ADMIN, FORMS, TOLD
from forehearth.wire.openapi import document
from forehearth.wire.swagger import swagger


def description(name: str, server: str) -> dict[str, Any]:
    """The document of that name, for a server at the address `server`."""
    if name == ADMIN:
        return {**admin.description(__version__), "servers": [{"url": server}]}
    told = TOLD[name]
    return document(told, served.endpoints()[told.surface], server=server, version=__version__)


def routes(admin_ports: Sequence[int]) -> list[BaseRoute]:
    """The routes. Where `/admin` has ports of its own, its document is there alone."""
    newest, older = FORMS
    return [
        Route(form.format(name=name), partial(_shown, name, older=form == older, ports=admin_ports))
        for form in (newest, older)
        for name in (*TOLD, ADMIN)
    ]


async def _shown(name: str, request: Request, *, older: bool, ports: Sequence[int]) -> Response:
    if name == ADMIN and ports and request.scope["server"][1] not in ports:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    scheme, host = request.url.scheme, request.headers.get("host", "localhost")
    base = "" if name == ADMIN else TOLD[name].base
    here = {"host": host, "schemes": [scheme]} if older else {"servers": [{"url": f"{scheme}://{host}{base}"}]}
    body = msgspec.json.encode({**_encoded(name, older=older), **here})
    return Response(body, media_type="application/json")


@cache
def _encoded(name: str, *, older: bool) -> Mapping[str, msgspec.Raw]:
    """The members of a document, made once: whoever asks costs no more than their copying."""
    found = description(name, "https://localhost")
    return {
        member: msgspec.Raw(msgspec.json.encode(its)) for member, its in (swagger(found) if older else found).items()
    }
