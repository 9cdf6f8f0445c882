"""Who a credential turned out to be, and what it may do where."""

import math
from typing import Literal

import msgspec

from forehearth.core.permission import Permission
from forehearth.core.place import Place


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """Some permissions, at one place and within it."""

    place: Place
    permissions: frozenset[Permission]
    resource_level: bool = False
    """Whether they end at the resource: what is asked of one of its projects is then not among them."""
    assigns: frozenset[str] | None = frozenset()
    """The roles that its holder may give to others there, by name; None for every role."""

    def allows(self, permission: Permission, place: Place) -> bool:
        """Whether this grant is enough for `permission` at `place`."""
        return (
            permission in self.permissions and self.place.covers(place) and not (self.resource_level and place.project)
        )


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """The caller, after identification. `name` is fit for logs and metrics; it is never the credential."""

    name: str
    kind: Literal["key", "user", "application"]
    id: str = ""
    """The key's id, or the object id of the user or the application."""
    tenant: str = ""
    """The directory that a token is from; empty for keys."""
    grants: tuple[Grant, ...] = ()
    deployments: frozenset[str] | None = None
    """The only deployments that it may call; None for all."""
    product: str = ""
    """The bundle of deployments and limits that its key was given, if any."""
    until: float = math.inf
    """When the credential ends, in Unix seconds."""

    def may(self, permission: Permission, place: Place) -> bool:
        """Whether it may do that there. What no grant allows is denied."""
        return any(grant.allows(permission, place) for grant in self.grants)

    def may_assign(self, role: str, place: Place) -> bool:
        """Whether it may give a role to somebody there. To be let in where that is done is another question."""
        return any(
            (grant.assigns is None or role in grant.assigns) and grant.place.covers(place) for grant in self.grants
        )
