"""From what a token says of its holder to what the holder may do: the roles that the configuration gives them."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from forehearth.core.errors import Misconfigured
from forehearth.core.identity_settings import AssignmentSettings
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.core.principal import Grant
from forehearth.identity import roles

_Who = tuple[str, str, str]
"""An issuer, a kind of holder by the configuration's key for it, and the holder's id there."""
DEVELOPMENT = "development"
_HOLDERS = ("user", "group", "application", "app_role")
_ALLOWED = {role.name: role.permissions for role in roles.ROLES}
_AT_AN_AGENT = frozenset({Permission.CALL_AGENT})
"""All that a role allows where it is given at an agent, as in Azure: the rest of it takes a project, or more."""
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Facts(Protocol):
    """What is known of the holder of a token."""

    @property
    def issuer(self) -> str:
        """The issuer's name in the configuration."""
        ...

    @property
    def tenant(self) -> str:
        """The directory that the token is from; empty where the issuer has none."""
        ...

    @property
    def id(self) -> str:
        """The object id of the user or the application."""
        ...

    @property
    def kind(self) -> Literal["user", "application"]:
        """Whether a person holds the token, or an application for itself."""
        ...

    @property
    def application(self) -> str:
        """The client id of the application that the token was made for: a user's token has it, too."""
        ...

    @property
    def roles(self) -> Collection[str]:
        """The app roles."""
        ...

    @property
    def groups(self) -> Collection[str]:
        """The object ids of the groups."""
        ...


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    tenant: str
    """Only to holders from this directory; to all when empty."""
    grant: Grant


class Assignments:
    """All role assignments, by whom they are for. Ids that are GUIDs are the same in capitals; other ids are not."""

    def __init__(
        self, assignments: Sequence[AssignmentSettings], *, default: str, issuers: Sequence[str] = (DEVELOPMENT,)
    ) -> None:
        """`default` is the resource of those that name none, `issuers` are those whose tokens are trusted.

        An id means nothing without its issuer: another one could give it to somebody else. Raises `Misconfigured`
        for a role or an issuer that there is not, and where it is not clear whose id is meant.
        """
        found: dict[_Who, list[_Given]] = {}
        for position, assignment in enumerate(assignments):
            issuer = _issuer(assignment, issuers, position)
            given = _Given(tenant=(assignment.tenant or "").lower(), grant=_grant(assignment, default, position))
            found.setdefault((issuer, *_holder(assignment)), []).append(given)
        self._given = {who: tuple(given) for who, given in found.items()}

    def grants_of(self, facts: Facts) -> Mapping[str, tuple[Grant, ...]]:
        """What the holder of a token may do, by resource. Who has no role has nothing."""
        tenant = facts.tenant.lower()
        held = dict.fromkeys(
            given.grant
            for kind, name in _names_of(facts)
            for given in self._given.get((facts.issuer, kind, name), ())
            if given.tenant in ("", tenant)
        )
        by_resource: dict[str, tuple[Grant, ...]] = {}
        for grant in held:
            by_resource[grant.place.resource] = (*by_resource.get(grant.place.resource, ()), grant)
        return by_resource


def _names_of(facts: Facts) -> Iterator[tuple[str, str]]:
    """Everything that an assignment may call this holder. A user is not the application that is used."""
    yield facts.kind, _id(facts.id)
    if facts.kind == "application":
        yield "application", _id(facts.application)
    for group in facts.groups:
        yield "group", _id(group)
    for role in facts.roles:
        yield "app_role", _id(role)


def _issuer(assignment: AssignmentSettings, issuers: Sequence[str], position: int) -> str:
    named = assignment.issuer
    if named is None and len(issuers) == 1:
        return issuers[0]
    if named is not None and (named in issuers or named == DEVELOPMENT):
        return named
    there = ", ".join(issuers)
    raise Misconfigured(
        f"identity.assignments[{position}].issuer: "
        + (f"there is no issuer '{named}': there are {there}" if named else f"say whose id this is: {there}")
    )


def _holder(assignment: AssignmentSettings) -> tuple[str, str]:
    given = {kind: getattr(assignment, kind) for kind in _HOLDERS}
    return next((kind, _id(value)) for kind, value in given.items() if value is not None)


def _grant(assignment: AssignmentSettings, default: str, position: int) -> Grant:
    try:
        role = roles.named(assignment.role)
    except ValueError as error:
        raise Misconfigured(f"identity.assignments[{position}].role: {error}") from None
    place = Place(
        resource=assignment.resource or default, project=assignment.project or "", agent=assignment.agent or ""
    )
    allowed = _ALLOWED[role.name] & _AT_AN_AGENT if place.agent else _ALLOWED[role.name]
    return Grant(place=place, permissions=allowed, resource_level=role.resource_level)


def _id(text: str) -> str:
    return text.lower() if _GUID.fullmatch(text) else text
