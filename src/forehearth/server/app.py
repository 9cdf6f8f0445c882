"""Everything that is not inference, as an ASGI application: health, metrics, and what others add as routes.

None of these asks for a credential. Health is for whoever decides where calls go and has no key. Metrics hold names
from the configuration and counts, no secret and nothing a caller wrote; like health they are read by machines on the
same network, and the server listens on the loopback address alone unless told otherwise.
"""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from forehearth.core.endpoint import Endpoint
from forehearth.core.trace import Trace
from forehearth.server.health import Health
from forehearth.telemetry.exposition import CONTENT_TYPE

TRACE = "forehearth.trace"
"""Where the request's `Trace` is in its scope."""
ENDPOINTS = tuple(
    Endpoint(method="GET", path=path, permission=None, name=name)
    for path, name in (("/health/live", "live"), ("/health/ready", "ready"), ("/metrics", "metrics"))
)
_NO_SUCH_PATH = (
    "Resource not found. Below this address are /openai/v1/, /models/, /openai/deployments/{deployment}/ and "
    "/api/projects/{project}/."
)
"""For who gave a client the host alone, or `/v1`."""
RETRY_SECONDS = 2
"""What `/health/ready` tells to wait when it is not."""


def create_app(
    *, health: Health, metrics: Callable[[], str], new_id: Callable[[], str], routes: Sequence[BaseRoute] = ()
) -> ASGIApp:
    """The application. `metrics` gives the page of `/metrics`, `routes` come before ours."""

    def live(_: Request) -> Response:
        return _json(HTTPStatus.OK, {"status": "live"})

    def ready(_: Request) -> Response:
        verdict = health.readiness()
        if verdict.ready:
            return _json(HTTPStatus.OK, verdict.report)
        return _json(HTTPStatus.SERVICE_UNAVAILABLE, verdict.report, {"retry-after": str(RETRY_SECONDS)})

    def numbers(_: Request) -> Response:
        return Response(metrics(), headers={"content-type": CONTENT_TYPE})

    own = [
        Route("/health/live", _at_once(live)),
        Route("/health/ready", _at_once(ready)),
        Route("/metrics", _at_once(numbers)),
    ]
    app = Starlette(routes=[*routes, *own], exception_handlers={HTTPException: _refused, Exception: _failed})
    app.router.redirect_slashes = False
    return Traced(app, new_id)


class Traced:
    """Gives every response the identifying headers that the inference surfaces give theirs."""

    def __init__(self, app: ASGIApp, new_id: Callable[[], str]) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        trace = Trace(self._new_id(), headers.get(b"x-ms-client-request-id"))
        scope[TRACE] = trace

        async def traced(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *trace.headers()]}
            await send(message)

        await self._app(scope, receive, traced)


def _at_once(answer: Callable[[Request], Response]) -> Callable[[Request], object]:
    """An endpoint that Starlette calls in the event loop; a plain function it would send to a thread."""

    async def endpoint(request: Request) -> Response:
        return answer(request)

    return endpoint


def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    words = {
        HTTPStatus.NOT_FOUND: _NO_SUCH_PATH,
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not served here.",
    }
    status = HTTPStatus(error.status_code)
    return _json(status, _error(status, words.get(status, status.phrase)), error.headers)


def _failed(_: Request, __: Exception) -> Response:
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return _json(status, _error(status, "The server had an internal error while processing your request."))


def _error(status: HTTPStatus, message: str) -> Mapping[str, object]:
    return {"error": {"code": str(int(status)), "message": message}}


def _json(status: HTTPStatus, content: object, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(content), status_code=status, headers=headers, media_type="application/json")
