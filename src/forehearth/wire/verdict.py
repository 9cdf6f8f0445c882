"""From what went wrong to what a client of Azure's inference surfaces is told: status, code, headers.

The surfaces share this table; each wraps the verdict in an envelope of its own. Codes and messages are the service's
where it has one (401, 404, `DeploymentNotFound`, `context_length_exceeded`, …), because clients compare them.
"""

import math

import msgspec

from forehearth.core import errors
from forehearth.core.errors import BackendRefused, ForehearthError, MethodNotAllowed, Refused
from forehearth.core.exchange import Header


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What to say; the envelope says how."""

    status: int
    code: str
    message: str
    param: str | None = None
    type: str = "invalid_request_error"
    inner_error: object | None = None
    headers: tuple[Header, ...] = ()
    short: bool = False
    """Said by the service's front door, whose error objects have code and message alone."""


_STATUS_AND_CODE: dict[type[ForehearthError], tuple[int, str]] = {
    errors.NotAuthenticated: (401, "401"),
    errors.PermissionDenied: (403, "PermissionDenied"),
    errors.PathNotFound: (404, "404"),
    errors.MethodNotAllowed: (405, "405"),
    errors.VersionNotServed: (400, "BadRequest"),
    errors.DeploymentNotFound: (404, "DeploymentNotFound"),
    errors.ProjectNotFound: (404, "NotFound"),
    errors.NotFound: (404, "NotFound"),
    errors.Conflict: (409, "Conflict"),
    errors.PreconditionFailed: (412, "PreconditionFailed"),
    errors.NotServedYet: (501, "NotServedYet"),
    errors.MalformedBody: (400, "malformed_body"),
    errors.UnsupportedMediaType: (415, "unsupported_media_type"),
    errors.InvalidField: (400, "invalid_value"),
    errors.UnknownField: (400, "unknown_parameter"),
    errors.OperationNotSupported: (400, "OperationNotSupported"),
    errors.NotSupported: (400, "unsupported_value"),
    errors.ContextTooLong: (400, "context_length_exceeded"),
    errors.AddressRefused: (400, "address_refused"),
    errors.AddressFailed: (424, "address_failed"),
    errors.BodyTooLarge: (413, "RequestEntityTooLarge"),
    errors.BodyTooSlow: (408, "Timeout"),
    errors.TooManyRequests: (429, "429"),
    errors.QuotaExceeded: (403, "QuotaExceeded"),
    errors.Unreachable: (503, "ServiceUnavailable"),
    errors.Overloaded: (503, "ServiceUnavailable"),
    errors.AllBusy: (429, "429"),
    errors.AllDown: (503, "ServiceUnavailable"),
    errors.TimedOut: (504, "Timeout"),
    errors.Broken: (502, "BadGateway"),
    errors.LimitsUnchecked: (503, "ServiceUnavailable"),
    errors.LedgerUnwritable: (503, "ServiceUnavailable"),
    errors.StorageFull: (507, "InsufficientStorage"),
    errors.StoreUnavailable: (503, "ServiceUnavailable"),
    errors.StoreInDoubt: (502, "BadGateway"),
}
_FRONT_DOOR = frozenset({"401", "404", "405", "PermissionDenied"})
_OUR_CREDENTIAL_REFUSED = frozenset({401, 403})
_HOST_LACKS_IT = 404
_TOO_MANY = 429
_SERVER_STATUSES = frozenset({500, 502, 503, 504})
_NEVER_RETRY: tuple[Header, ...] = ((b"x-should-retry", b"false"),)


def verdict(error: ForehearthError) -> Verdict:
    """What a client is told about `error`."""
    if isinstance(error, BackendRefused):
        return _relayed(error)
    status, code = next(
        (_STATUS_AND_CODE[kind] for kind in type(error).__mro__ if kind in _STATUS_AND_CODE),
        (500, "InternalServerError"),
    )
    if isinstance(error, errors.InvalidField):
        code = error.kind or code
    headers = _retry_headers(error.retry_after)
    if isinstance(error, errors.NotServedYet | errors.StoreInDoubt):
        headers = _NEVER_RETRY
    if isinstance(error, MethodNotAllowed):
        headers = ((b"allow", ", ".join(error.allowed).encode()),)
    if isinstance(error, errors.NotAuthenticated):
        headers = ((b"www-authenticate", b"Bearer"),)
    return Verdict(
        status=status,
        code=code,
        message=error.message,
        param=error.param if isinstance(error, Refused) else None,
        type=_type(status),
        headers=(*headers, *error.headers),
        short=code in _FRONT_DOOR,
    )


def _relayed(error: BackendRefused) -> Verdict:
    """A backend's own error. Its 4xx is the caller's business, except where it is about the gateway's settings."""
    if error.status in _OUR_CREDENTIAL_REFUSED or error.status == _HOST_LACKS_IT:
        what = "does not know the model it is asked for" if error.status == _HOST_LACKS_IT else "refused our credential"
        return Verdict(
            status=502,
            code="BadGateway",
            message=f"The host of this deployment {what}; the gateway's operator has to correct its configuration.",
            type=_type(502),
            headers=(*_NEVER_RETRY, *error.headers),
        )
    if not 400 <= error.status < 500 and error.status not in _SERVER_STATUSES:  # noqa: PLR2004 - the classes of RFC 9110
        return Verdict(status=502, code="BadGateway", message=error.message, type=_type(502), headers=error.headers)
    default = "429" if error.status == _TOO_MANY else "invalid_request" if error.status < 500 else "BackendFailed"  # noqa: PLR2004
    return Verdict(
        status=error.status,
        code=error.error_code or default,
        message=error.message,
        param=error.param,
        type=error.type or _type(error.status),
        inner_error=error.inner_error,
        headers=(*_retry_headers(error.retry_after), *error.headers),
    )


def _type(status: int) -> str:
    if status == _TOO_MANY:
        return "too_many_requests"
    return "invalid_request_error" if status < 500 else "server_error"  # noqa: PLR2004


def _retry_headers(seconds: float | None) -> tuple[Header, ...]:
    """Both forms: SDKs read the milliseconds first, everybody else the whole seconds."""
    if seconds is None:
        return ()
    return (
        (b"retry-after-ms", str(math.ceil(seconds * 1000)).encode()),
        (b"retry-after", str(max(1, math.ceil(seconds))).encode()),
    )
