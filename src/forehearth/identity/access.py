"""Whether who calls may do what is asked. What no grant allows is denied."""

from forehearth.core.endpoint import Endpoint
from forehearth.core.errors import NotAuthenticated, PermissionDenied
from forehearth.core.place import Place
from forehearth.core.principal import Principal

_TOKENS_ONLY = "Unauthorized. Access token is missing, invalid, audience is incorrect, or have expired."


def require(principal: Principal, endpoint: Endpoint, place: Place) -> None:
    """Pass who may use this endpoint there.

    Raises `NotAuthenticated` for a key where only tokens are taken, and `PermissionDenied` in the service's words.
    """
    if endpoint.permission is None:
        return
    if principal.kind == "key" and not endpoint.keys:
        raise NotAuthenticated(_TOKENS_ONLY, principal=principal)
    if not principal.may(endpoint.permission, place):
        raise PermissionDenied(
            f"The principal `{principal.id or principal.name}` lacks the required data action "
            f"`{endpoint.permission.value}` to perform `{endpoint.method} {endpoint.path}` operation.",
            principal=principal,
        )
