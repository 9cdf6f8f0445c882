"""Who calls: by key or by token, whichever the head has.

A good key goes before a token, because clients send dummy bearers beside a real `api-key`. Where a surface takes no
keys, none is looked for.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from forehearth.core.clock import Clock
from forehearth.core.errors import NotAuthenticated, PermissionDenied
from forehearth.core.exchange import KEY_HEADERS, Head
from forehearth.core.principal import Grant, Principal
from forehearth.identity.claims import Claims

TOKEN_REFUSED = "Unauthorized. Access token is missing, invalid, audience is incorrect, or have expired."  # noqa: S105 - what is said of one, not one
MISSING = (
    f"{TOKEN_REFUSED} Send a key as 'api-key: KEY' or 'Authorization: Bearer KEY', or a token as "
    "'Authorization: Bearer TOKEN'."
)
WRONG = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
    "active subscription and use a correct regional API endpoint for your resource."
)
_BEARER = b"bearer "
_DOTS = 2
_KEPT = 4_096


class Keys(Protocol):
    """Knows keys."""

    def identify(self, head: Head, resource: str, now: float) -> Principal | None:
        """The holder of a key that the head has; None where it has none that is good. Raises `PermissionDenied`."""
        ...


class Tokens(Protocol):
    """Knows tokens."""

    def verify(self, token: bytes) -> Claims | Awaitable[Claims]:
        """What a token says, once it is known to be true. Raises `NotAuthenticated`, at once or when awaited."""
        ...

    def known(self, token: bytes) -> Claims | None:
        """What a token says that was found true before and is still good; None for all others."""
        ...


GrantsOf = Callable[[Claims], Mapping[str, tuple[Grant, ...]]]
"""What the holder of a token may do, by resource."""


class Callers:
    """The `ports.identity.Identity` of the server."""

    def __init__(self, keys: Keys, tokens: Tokens | None, grants_of: GrantsOf, clock: Clock) -> None:
        self._keys = keys
        self._tokens = tokens
        self._grants_of = grants_of
        self._clock = clock
        self._principals: dict[tuple[int, str], tuple[Claims, Principal]] = {}
        """Of claims that are still the same object, which the tokens' cache gives for the same token."""

    def identify(self, head: Head, resource: str, *, keys: bool) -> Principal | Awaitable[Principal]:
        """See `ports.identity`."""
        if keys:
            found = self._keys.identify(head, resource, self._clock.unix())
            if found is not None:
                return found
        token = _token(head.headers)
        if token is None or self._tokens is None:
            raise NotAuthenticated(_why(head.headers) if keys else TOKEN_REFUSED)
        claims = self._tokens.verify(token)
        if isinstance(claims, Claims):
            return self._principal(claims, resource)
        return self._later(claims, resource)

    def still(self, principal: Principal, head: Head, resource: str, *, keys: bool) -> bool:
        """See `ports.identity`."""
        try:
            found = self._keys.identify(head, resource, self._clock.unix()) if keys else None
        except PermissionDenied:
            return False
        if found is not None or self._tokens is None:
            return found is principal
        token = _token(head.headers)
        claims = None if token is None else self._tokens.known(token)
        return claims is not None and self._principal(claims, resource) is principal

    def forget(self) -> None:
        """Ask anew what the holders of tokens may do, because that has changed."""
        self._principals.clear()

    async def _later(self, claims: Awaitable[Claims], resource: str) -> Principal:
        return self._principal(await claims, resource)

    def _principal(self, claims: Claims, resource: str) -> Principal:
        kept = self._principals.get((id(claims), resource))
        if kept is not None and kept[0] is claims:
            return kept[1]
        principal = Principal(
            name=claims.name,
            kind=claims.kind,
            id=claims.id,
            tenant=claims.tenant,
            grants=self._grants_of(claims).get(resource, ()),
            until=claims.expires,
        )
        if len(self._principals) >= _KEPT:
            self._principals.clear()
        self._principals[id(claims), resource] = (claims, principal)
        return principal


def _token(headers: Mapping[bytes, bytes]) -> bytes | None:
    """The bearer, where it has the form of a token."""
    bearer = headers.get(b"authorization", b"")
    if bearer[: len(_BEARER)].lower() != _BEARER or bearer.count(b".") != _DOTS:
        return None
    return bearer[len(_BEARER) :].strip()


def _why(headers: Mapping[bytes, bytes]) -> str:
    presented = any(headers.get(name) for name in KEY_HEADERS)
    bearer = headers.get(b"authorization", b"")
    return WRONG if presented or bearer[len(_BEARER) :].strip() else MISSING
