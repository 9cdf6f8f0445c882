"""Error answers of a scripted backend, in the OpenAI dialect's error object."""

import math
from http import HTTPStatus

import msgspec

from forehearth.core.errors import PathNotFound, Refused
from forehearth.core.upstream import Response
from forehearth.providers.scripted_rules import Rule, ScriptedError

_STATUSES = {status.value: status for status in HTTPStatus}


def scripted(status: int, rule: Rule) -> Response:
    """The error that a rule asks for."""
    headers = {name.lower().encode(): value.encode() for name, value in rule.headers.items()}
    if rule.retry_after is not None:
        headers[b"retry-after"] = b"%d" % math.ceil(rule.retry_after)
        headers[b"retry-after-ms"] = b"%d" % math.ceil(rule.retry_after * 1000)
    return _response(status, rule.error, headers)


def unreadable(error: Refused) -> Response:
    """What a host answers to a request that it cannot read."""
    status = 404 if isinstance(error, PathNotFound) else 400
    return _response(status, ScriptedError(code=error.code, message=error.message, param=error.param), {})


def _response(status: int, said: ScriptedError, headers: dict[bytes, bytes]) -> Response:
    known = _STATUSES.get(status)
    phrase = known.phrase if known else "Server Error"
    error: dict[str, object] = {
        "message": said.message or f"Scripted error: {phrase}.",
        "type": said.type or _type(status),
        "param": said.param,
        "code": said.code or phrase.lower().replace(" ", "_").replace("-", "_"),
    }
    if said.inner_error is not None:
        error["innererror"] = said.inner_error
    headers = {b"content-type": b"application/json", **headers}
    return Response(status=status, headers=headers, body=msgspec.json.encode({"error": error}))


def _type(status: int) -> str:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limit_error"
    return "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
