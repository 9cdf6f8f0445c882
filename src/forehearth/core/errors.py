"""Everything that can go wrong with a call, by whose fault it is. It knows nothing of HTTP: `wire/` has the tables.

    ForehearthError
      Refused                       the caller's: the same call will be refused again
        NotAuthenticated            no credential, or one we do not know
        PermissionDenied            a good credential, whose holder may not do this here
        PathNotFound                no such operation on this surface
        MethodNotAllowed            the path exists, with other methods
        VersionNotServed            api-version missing, malformed or not served here
        DeploymentNotFound          no deployment or route of that name
          DeploymentClosed          there is one, and not for this caller, who is told that there is none
        ProjectNotFound             no project of that name
        NotFound                    no such thing, or not one of the caller's: they are told alike
        Conflict                    there is one already, or it is not in a state for this
        PreconditionFailed          it was changed since the caller read it
        MalformedBody               not JSON, or not the media type that the operation takes
        InvalidField                one member has a wrong type or value
        UnknownField                a member that the surface does not know
        NotServedYet                the service has it, this server will
        UnsupportedMediaType        a body of a kind that the operation does not read
        NotSupported                understood, but this deployment cannot do it
          OperationNotSupported     the whole operation, such as a chat with an embeddings model
        ContextTooLong              the prompt does not fit the model's context
        AddressRefused              an address that the call names may not be asked (reason)
        AddressFailed               an address that the call names did not answer as it should (reason)
        BodyTooLarge                more bytes than are accepted
        BodyTooSlow                 the body did not arrive in time
        TooManyRequests             come back later (retry_after)
        QuotaExceeded               what there is for an hour or longer is used up (retry_after)
      Failed                        a backend's
        Unreachable                 no connection: name, TCP, TLS or proxy                  next backend
        TimedOut                    a phase took too long; next backend if it was `connect`
        Broken                      reset, cut short, or not an answer at all
        Overloaded                  it is starting, restarting or full (retry_after)        next backend
        BackendRefused              it answered with an error of its own       next backend if busy, ill or not ours
        AllBusy                     every backend is full or asked to be left alone (retry_after)
        AllDown                     every backend is left out because it is ill (retry_after)
      LimitsUnchecked               ours: the counters of limits cannot be read (retry_after)
      LedgerUnwritable              ours: it cannot be written down what the call uses (retry_after)
      StoreUnavailable              ours: what is kept cannot be read or written now (retry_after)
        StoreInDoubt                it went away before it answered: what was asked may have been carried out
      StorageFull                   ours: there is no room left for what the caller wants kept
      Misconfigured                 ours: the configuration cannot be used

`retry_elsewhere` says whether the next backend, or a route's next deployment, may be tried: true only where it is
certain, or as good as, that the call was not carried out.
"""

from typing import ClassVar

from forehearth.core.exchange import Header
from forehearth.core.principal import Principal

RETRYABLE_STATUSES = frozenset({408, 429, 500, 502, 503, 504, 529})
"""Answers of a backend that is busy or ill: another one may be asked."""
LOCKED_OUT_STATUSES = frozenset({401, 403, 404})
"""Answers of a backend that does not let the gateway in, or has no such model: another one may be asked."""


class ForehearthError(Exception):
    """The root. `message` is fit for the caller: no secret, no address of a backend, no text of an upstream body."""

    retry_elsewhere: bool = False
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        """Seconds after which the same call may succeed; None when that is not known."""
        self.headers: tuple[Header, ...] = ()
        """What is said besides, in headers."""


class Refused(ForehearthError):
    """The caller's fault. `param` names the member or parameter that is at fault, where there is one."""

    code = "invalid_request"

    def __init__(self, message: str, *, param: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.param = param


class NotAuthenticated(Refused):
    """No credential, or one that is not known here. `principal` is who it was, where that is known all the same."""

    code = "unauthorized"

    def __init__(self, message: str, *, principal: Principal | None = None) -> None:
        super().__init__(message)
        self.principal = principal


class PermissionDenied(Refused):
    """Who calls is known, and may not do this here. `principal` is who it is, where whoever raises it can tell."""

    code = "permission_denied"

    def __init__(self, message: str, *, principal: Principal | None = None) -> None:
        super().__init__(message)
        self.principal = principal


class PathNotFound(Refused):
    """No operation with that path on this surface."""

    code = "not_found"


class MethodNotAllowed(Refused):
    """The path exists, but not with this method. `allowed` are the methods that exist."""

    code = "method_not_allowed"

    def __init__(self, message: str, *, allowed: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allowed = allowed


class VersionNotServed(Refused):
    """The api-version is missing, malformed or not one of this surface."""

    code = "unsupported_api_version"


class DeploymentNotFound(Refused):
    """No deployment and no route has the name asked for."""

    code = "deployment_not_found"


class DeploymentClosed(DeploymentNotFound):
    """The deployment or route `name` is there, and not for who calls: they are told that there is none."""

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name


class ProjectNotFound(Refused):
    """No project of this resource has the name asked for."""

    code = "project_not_found"


class NotFound(Refused):
    """There is no such thing, or it is somebody else's: nobody is told which."""

    code = "not_found"


class Conflict(Refused):
    """There is one already, or it is not in a state in which this can be done."""

    code = "conflict"


class PreconditionFailed(Refused):
    """It is not any more as it was when the caller read it."""

    code = "precondition_failed"


class MalformedBody(Refused):
    """The body is not what the operation reads: not JSON (the message has line and column), or another media type."""

    code = "malformed_body"


class InvalidField(Refused):
    """A member has a wrong type or an impossible value; `param` is its path, such as `messages[0].role`.

    `kind` is what is wrong in one word of the service's, such as `string_above_max_length`; empty where there is none.
    """

    code = "invalid_value"

    def __init__(
        self, message: str, *, param: str | None = None, kind: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, param=param, retry_after=retry_after)
        self.kind = kind


class UnknownField(Refused):
    """A member that the surface does not know and was asked not to pass on."""

    code = "unknown_parameter"


class NotSupported(Refused):
    """Understood, but this deployment or backend cannot do it."""

    code = "unsupported_value"


class NotServedYet(Refused):
    """The service has this operation and this server will; docs/status.md has the list."""

    code = "not_served_yet"


class OperationNotSupported(NotSupported):
    """The deployment's model has no such operation at all."""

    code = "operation_not_supported"


class UnsupportedMediaType(Refused):
    """A body of a kind that the operation does not read; the message names the ones it does."""

    code = "unsupported_media_type"


class ContextTooLong(Refused):
    """Prompt and asked-for output do not fit the model's context."""

    code = "context_length_exceeded"


class AddressRefused(Refused):
    """An address that the call names is not asked, and was not. The message never has an IP that a name stands for.

    `reason` is what is wrong: `url` (it cannot be read in one way only), `scheme`, `user`, `host`, `port`, `name` (one
    of this network, or none), `private` (its address is not a public one), `never` (a metadata service and its like),
    `closed` (public addresses are not asked here), `downgrade` (from https to http), `redirects` (too many), `header`.
    """

    code = "address_refused"

    def __init__(self, message: str, *, reason: str, param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.reason = reason


class AddressFailed(Refused):
    """An address that the call names could not be reached, or its answer cannot be used.

    `reason` is `unreachable`, `timeout`, `unusable` or `busy` (too many such requests are under way here).
    """

    code = "address_failed"

    def __init__(
        self, message: str, *, reason: str, param: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, param=param, retry_after=retry_after)
        self.reason = reason


class BodyTooLarge(Refused):
    """More bytes than are accepted."""

    code = "body_too_large"


class BodyTooSlow(Refused):
    """The body did not arrive in time."""

    code = "request_timeout"


class TooManyRequests(Refused):
    """A limit is reached; `retry_after` says when it will not be."""

    code = "too_many_requests"


class QuotaExceeded(Refused):
    """What there is for an hour, a day or longer is used up; `retry_after` says when there is more."""

    code = "quota_exceeded"


class Failed(ForehearthError):
    """A backend's fault. `backend` names it, for logs and metrics; callers are not told."""

    code = "backend_failed"

    def __init__(self, message: str, *, backend: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.backend = backend


class Unreachable(Failed):
    """No connection could be made, so nothing was carried out."""

    code = "backend_unreachable"
    retry_elsewhere = True


class TimedOut(Failed):
    """A phase of the call took longer than it may: `connect`, `first byte`, `idle` or `total`.

    What the backend did is not known, but for `connect`: then nothing was sent, and the next backend may be asked.
    """

    code = "backend_timeout"

    def __init__(self, message: str, *, phase: str = "", backend: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, backend=backend, retry_after=retry_after)
        self.phase = phase
        self.retry_elsewhere = phase == "connect"


class Broken(Failed):
    """The connection was reset or cut short, or what came is not an answer."""

    code = "backend_broken"


class Overloaded(Failed):
    """The backend is starting, restarting or full; nothing was carried out."""

    code = "backend_overloaded"
    retry_elsewhere = True


class BackendRefused(Failed):
    """The backend answered with an error. Its status and the named members of its error object, no more, are kept."""

    code = "backend_refused"

    def __init__(  # noqa: PLR0913 - the members of the error object that every dialect has
        self,
        message: str,
        *,
        status: int,
        error_code: str | None = None,
        param: str | None = None,
        type: str | None = None,  # noqa: A002 - the member's own name
        inner_error: object | None = None,
        backend: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, backend=backend, retry_after=retry_after)
        self.status = status
        self.error_code = error_code
        self.param = param
        self.type = type
        self.inner_error = inner_error
        self.retry_elsewhere = status in RETRYABLE_STATUSES or status in LOCKED_OUT_STATUSES


class AllBusy(Failed):
    """No backend of the deployment can take a call now; one of them at least is well, but full, or it wants a pause."""

    code = "backends_busy"
    retry_elsewhere = True


class AllDown(Failed):
    """Every backend of the deployment is left out because it failed too often lately; nothing was sent."""

    code = "backends_down"
    retry_elsewhere = True


class LimitsUnchecked(ForehearthError):
    """Our own fault: the counters of limits are away, so the call was not sent to any backend."""

    code = "limits_unchecked"


class LedgerUnwritable(ForehearthError):
    """Our own fault: the disk takes no record of the call, so it was not sent to any backend."""

    code = "ledger_unwritable"


class StoreUnavailable(ForehearthError):
    """Our own fault: the store is away, or full. Nothing was changed."""

    code = "store_unavailable"


class StoreInDoubt(StoreUnavailable):
    """The store went away before it answered: nobody knows whether it was carried out."""

    code = "store_in_doubt"


class StorageFull(ForehearthError):
    """Our own fault: there is no room left to keep what the caller sends. Nothing of it was kept."""

    code = "storage_full"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.headers = ((b"x-should-retry", b"false"),)


class Misconfigured(ForehearthError):
    """Our own fault: the configuration or the data directory cannot be used as it is."""

    code = "misconfigured"
