"""The development issuer over HTTP, at the addresses that clients of Entra ID and of managed identities ask.

    /{directory}/…                     discovery, keys, tokens and device codes, below what `AZURE_AUTHORITY_HOST` names
    /dev-issuer/msi/token              managed identity as App Service has it: `IDENTITY_ENDPOINT`
    /metadata/identity/oauth2/token    managed identity as a virtual machine has it: `AZURE_POD_IDENTITY_AUTHORITY_HOST`
    /dev-issuer/device                 what a person does with a user code

A directory stands first in its path, because MSAL takes `adfs` for one that Microsoft need not be asked about only
there; the path of virtual machines is fixed by their clients. No answer has a CORS header, and none may be kept.
"""

import datetime as dt
import re
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from forehearth.identity.development.addresses import APP_SERVICE, APP_SERVICE_VERSION, DEVICE, MACHINE, OTHER_NAMES
from forehearth.identity.development.denied import Denied, malformed, missing
from forehearth.identity.development.device_codes import INTERVAL_SECONDS, LIFE_SECONDS
from forehearth.identity.development.guard import Guard, only
from forehearth.identity.development.issuer import DevelopmentIssuer, Issued
from forehearth.identity.development.payloads import ALGORITHM

LARGEST_FORM = 16_384
"""Bytes of a body."""
_MOST_FIELDS = 32
_FORM_TYPE = "application/x-www-form-urlencoded"
_DATE = re.compile(r"20\d\d-\d\d-\d\d")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_UNKEPT: Final = {"cache-control": "no-store", "pragma": "no-cache", "x-content-type-options": "nosniff"}
_PAGE_HEADERS: Final = _UNKEPT | {"content-security-policy": "default-src 'none'; frame-ancestors 'none'"}

Answer = Callable[[Request], Awaitable[Response]]
Refuse = Callable[[Denied, Request], Response]


def routes(issuer: DevelopmentIssuer, names: Collection[str] = ()) -> list[Route]:
    """Everything that the issuer answers. `names` are the host names of `server.tls.names`."""
    guard = Guard(names)
    pages = _Pages(issuer)
    device = {"GET": pages.device, "POST": pages.approve}
    found = [
        *_slashed(APP_SERVICE, _Endpoint(guard, {"GET": pages.app_service}, pages.refused_as_app_service)),
        *_slashed(MACHINE, _Endpoint(guard, {"GET": pages.machine}, pages.refused_as_machine)),
        Route(DEVICE, _Endpoint(guard, device, pages.refused, is_page=True)),
    ]
    for directory in (issuer.trusted.tenant, *OTHER_NAMES):
        for method, path, answer in _directory(pages, directory):
            found.append(Route(f"/{directory}{path}", _Endpoint(guard, {method: answer}, pages.refused)))
    return found


def _slashed(path: str, endpoint: "_Endpoint") -> tuple[Route, Route]:
    """MSAL for Node puts a slash at the end of a path."""
    return Route(path, endpoint), Route(f"{path}/", endpoint)


def _directory(pages: "_Pages", directory: str) -> Iterator[tuple[str, str, Answer]]:
    """What is asked of a directory: each in the form of version 2.0, and in the older one that `adfs` has."""

    async def discovery(request: Request) -> Response:
        return pages.discovery(request, directory)

    for version in ("", "/v2.0"):
        yield "GET", f"{version}/.well-known/openid-configuration", discovery
        yield "GET", f"/discovery{version}/keys", pages.keys
        yield "GET", f"/oauth2{version}/authorize", pages.authorize
        yield "POST", f"/oauth2{version}/token", pages.token
        yield "POST", f"/oauth2{version}/devicecode", pages.device_code


class _Endpoint:
    """One address as an ASGI application, so that nothing answers before the guard has looked."""

    def __init__(self, guard: Guard, answers: Mapping[str, Answer], refuse: Refuse, *, is_page: bool = False) -> None:
        """`answers` by method. With `is_page`, what GET answers is for people, who may come from a link anywhere."""
        self._guard = guard
        self._answers = answers
        self._refuse = refuse
        self._is_page = is_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        request = Request(scope, receive)
        peer = scope["client"][0] if scope["client"] else ""
        try:
            self._guard.check(peer, scope["headers"], page=self._is_page and request.method == "GET")
            response = await self._answer_of(request.method)(request)
        except Denied as denied:
            response = self._refuse(denied, request)
            if denied.status == HTTPStatus.METHOD_NOT_ALLOWED:
                response.headers["allow"] = ", ".join(self._answers)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    def _answer_of(self, method: str) -> Answer:
        found = self._answers.get(method)
        if found is None:
            raise malformed(f"{method} is not served here.", status=HTTPStatus.METHOD_NOT_ALLOWED)
        return found


class _Pages:
    """The answers."""

    def __init__(self, issuer: DevelopmentIssuer) -> None:
        self._issuer = issuer

    def discovery(self, request: Request, directory: str) -> Response:
        """OpenID Connect discovery. Addresses are under the name by which we were called."""
        base = f"{_origin(request)}/{directory}"
        return _json(
            {
                "issuer": self._issuer.trusted.issuer,
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                "id_token_signing_alg_values_supported": [ALGORITHM],
                "response_types_supported": ["id_token", "token"],
                "subject_types_supported": ["public"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "claims_supported": ["sub", "iss", "aud", "exp", "iat", "oid", "tid", "name", "preferred_username"],
            }
        )

    async def keys(self, _: Request) -> Response:
        """The key set."""
        return _json(self._issuer.trusted.keys)

    async def authorize(self, _: Request) -> Response:
        """Nobody signs in through a browser here: clients only want to know where they would."""
        raise Denied(
            "unsupported_response_type",
            700054,
            "The development issuer signs nobody in through a browser: use a device code, or 'forehearth login'.",
        )

    async def token(self, request: Request) -> Response:
        """A token for a grant."""
        form = await _form(request)
        issued = self._issuer.by_grant(form)
        answer: dict[str, object] = {
            "token_type": "Bearer",
            "expires_in": issued.seconds,
            "ext_expires_in": issued.seconds,
            "access_token": issued.token.reveal(),
        }
        if issued.identity is not None:
            answer |= {"scope": issued.scope, "id_token": issued.identity.reveal()}
            if form.get("client_info") == "1":
                answer["client_info"] = issued.client_info
        return _json(answer)

    async def device_code(self, request: Request) -> Response:
        """A pair of codes."""
        begun = self._issuer.begin(await _form(request))
        page = _origin(request) + DEVICE
        return _json(
            {
                "device_code": begun.device_code.reveal(),
                "user_code": begun.user_code,
                "verification_uri": page,
                "expires_in": LIFE_SECONDS,
                "interval": INTERVAL_SECONDS,
                "message": f"To sign in, run 'forehearth login --approve {begun.user_code}' in a shell of this "
                f"machine; {page} says how to do it as somebody else.",
            }
        )

    async def device(self, _: Request) -> Response:
        """How to use a user code. It says nothing of any, so that it can be shown to whoever comes."""
        return Response(_DEVICE_PAGE, headers=_PAGE_HEADERS, media_type="text/html")

    async def approve(self, request: Request) -> Response:
        """Let the holder of an identity header sign in on another screen."""
        header = _identity_header(request)
        form = await _form(request)
        return _json({"user": self._issuer.approve(header, form.get("user_code", ""))})

    async def app_service(self, request: Request) -> Response:
        """A token for the holder of an identity header."""
        header = _identity_header(request)
        asked = _query(request)
        if asked.get("api-version") != APP_SERVICE_VERSION:
            raise malformed(f"The parameter 'api-version' has to be {APP_SERVICE_VERSION}.")
        return _json(_managed(self._issuer.by_header(header, asked)))

    async def machine(self, request: Request) -> Response:
        """A token for a program of this machine."""
        if only(request.scope["headers"], b"metadata").lower() != b"true":
            raise malformed("Required metadata header not specified.")
        asked = _query(request)
        if not _DATE.fullmatch(asked.get("api-version", "")):
            raise malformed("The parameter 'api-version' has to be a date, such as 2018-02-01.")
        return _json(_managed(self._issuer.by_machine(asked)))

    def refused(self, denied: Denied, request: Request) -> Response:
        """As Entra ID says it."""
        trace, correlation, moment = self._marks(request)
        described = f"AADSTS{denied.code}: {denied.message}"
        answer = {
            "error": denied.error,
            "error_description": f"{described} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {moment}",
            "error_codes": [denied.code],
            "timestamp": moment,
            "trace_id": trace,
            "correlation_id": correlation,
        }
        return _json(answer, denied.status)

    def refused_as_app_service(self, denied: Denied, request: Request) -> Response:
        """As App Service says it."""
        _, correlation, _ = self._marks(request)
        answer = {"statusCode": denied.status, "message": denied.message, "correlationId": correlation}
        return _json(answer, denied.status)

    def refused_as_machine(self, denied: Denied, _: Request) -> Response:
        """As the metadata service of a virtual machine says it."""
        return _json({"error": denied.error, "error_description": denied.message}, denied.status)

    def _marks(self, request: Request) -> tuple[str, str, str]:
        """What tells one refusal from another: its id, the caller's id for it, and when it was."""
        given = request.headers.get("client-request-id", "")
        moment = dt.datetime.fromtimestamp(self._issuer.now(), dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        return self._issuer.new_id(), given if _GUID.fullmatch(given) else self._issuer.new_id(), moment


def _managed(issued: Issued) -> Mapping[str, str]:
    """A token as managed identities give it: every member is text."""
    return {
        "access_token": issued.token.reveal(),
        "client_id": issued.client_id,
        "expires_in": str(issued.seconds),
        "expires_on": str(issued.expires),
        "ext_expires_in": str(issued.seconds),
        "not_before": str(issued.issued),
        "resource": issued.audience,
        "token_type": "Bearer",
    }


def _identity_header(request: Request) -> str:
    found = only(request.scope["headers"], b"x-identity-header")
    if not found:
        raise Denied(
            "invalid_client", 7000218, "The header X-IDENTITY-HEADER is missing.", status=HTTPStatus.UNAUTHORIZED
        )
    return found.decode("latin-1")


async def _form(request: Request) -> dict[str, str]:
    """The fields of the body. Raises `Denied` for another media type, too many bytes, and fields that are repeated."""
    headers = request.scope["headers"]
    if only(headers, b"content-type").partition(b";")[0].strip().lower() != _FORM_TYPE.encode():
        raise malformed(f"The body has to be {_FORM_TYPE}.", status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    if only(headers, b"content-encoding") not in (b"", b"identity"):
        raise malformed("The body is compressed. Send it as it is.", status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_FORM:
            raise malformed(
                f"The body is longer than {LARGEST_FORM} bytes.", status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            )
    return _fields(bytes(body))


def _query(request: Request) -> dict[str, str]:
    asked = _fields(request.scope["query_string"])
    if not asked.get("resource"):
        raise missing("resource")
    return asked


def _fields(text: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            text.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, encoding="utf-8", errors="strict"
        )
    except ValueError:
        raise malformed("The parameters cannot be read.") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise malformed("A parameter is there more than once.")
    return found


def _origin(request: Request) -> str:
    """Where we were called, by a name that the guard knows."""
    return f"{request.scope['scheme']}://{only(request.scope['headers'], b'host').decode('ascii')}"


def _json(content: object, status: int = HTTPStatus.OK) -> Response:
    return Response(
        msgspec.json.encode(content), status_code=status, headers=_UNKEPT, media_type="application/json; charset=utf-8"
    )


_DEVICE_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Sign in: Forehearth</title>
<h1>Sign in</h1>
<p>A program of yours shows a code and waits. In a shell of this machine, let it act for you:</p>
<pre>forehearth login --approve CODE</pre>
<p>or for another user of the configuration:</p>
<pre>forehearth login --approve CODE --user NAME</pre>
<p>If no program of yours shows one, do nothing.</p>
</html>
"""
