"""From what a token says of its holder to what the holder may do, by the roles that were assigned to them.

Assignments are of the configuration, which stay as they are, or made at run time, which `replace` tells anew.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from forehearth.core.errors import Misconfigured
from forehearth.core.identity_settings import AssignmentSettings
from forehearth.core.issuers import DEVELOPMENT
from forehearth.core.principal import Grant
from forehearth.identity import roles
from forehearth.identity.assignment_records import AssignmentRecord, PrincipalType, plain_id

_Who = tuple[str, str, str]
"""An issuer, a type of principal, and the principal's id there."""
CONFIGURED = "configured-"
"""How the ids of those of the configuration begin; the position in `identity.assignments` follows."""
OF_THE_ISSUER = "development-"
"""How the ids of those begin that the development issuer brings along."""
_HOLDERS: tuple[PrincipalType, ...] = ("user", "group", "application", "app_role")
_log = logging.getLogger("forehearth.identity")


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
    """All role assignments to holders of tokens, by whom they are for."""

    def __init__(
        self,
        assignments: Sequence[AssignmentSettings],
        *,
        default: str,
        issuers: Sequence[str] = (DEVELOPMENT,),
        of_the_issuer: Sequence[AssignmentSettings] = (),
    ) -> None:
        """`default` is the resource of those that name none, `issuers` are those whose tokens are trusted.

        `of_the_issuer` are those that the development issuer brings along.

        An id means nothing without its issuer: another one could give it to somebody else. Raises `Misconfigured`
        for a role or an issuer that there is not, and where it is not clear whose id is meant.
        """
        self.configured = tuple(
            _record(each, f"{prefix}{position}", position, default, issuers)
            for prefix, some in ((CONFIGURED, assignments), (OF_THE_ISSUER, of_the_issuer))
            for position, each in enumerate(some)
        )
        """Those of the configuration, in its order, and those of the development issuer."""
        self.replace(())

    def replace(self, records: Iterable[AssignmentRecord]) -> None:
        """Know these besides the configured ones from now on, and no others. One that makes no sense gives nothing."""
        found: dict[_Who, list[_Given]] = {}
        for record in (*self.configured, *records):
            grant = _grant(record)
            if grant is not None and record.principal_type != "key":
                who = (record.issuer, record.principal_type, record.principal_id)
                found.setdefault(who, []).append(_Given(tenant=record.tenant, grant=grant))
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


def _names_of(facts: Facts) -> Iterator[tuple[PrincipalType, str]]:
    """Everything that an assignment may call this holder. A user is not the application that is used."""
    yield facts.kind, plain_id(facts.id)
    if facts.kind == "application":
        yield "application", plain_id(facts.application)
    for group in facts.groups:
        yield "group", plain_id(group)
    for role in facts.roles:
        yield "app_role", plain_id(role)


def _record(
    assignment: AssignmentSettings,
    id: str,  # noqa: A002 - what it is
    position: int,
    default: str,
    issuers: Sequence[str],
) -> AssignmentRecord:
    """One of the configuration. Raises `Misconfigured`."""
    kind, principal = _holder(assignment)
    try:
        role = roles.named(assignment.role)
    except ValueError as error:
        raise Misconfigured(f"identity.assignments[{position}].role: {error}") from None
    return AssignmentRecord(
        id=id,
        role=role.name,
        principal_type=kind,
        principal_id=principal,
        issuer=_issuer(assignment, issuers, position),
        tenant=(assignment.tenant or "").lower(),
        resource=assignment.resource or default,
        project=assignment.project or "",
        agent=assignment.agent or "",
    )


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


def _holder(assignment: AssignmentSettings) -> tuple[PrincipalType, str]:
    given = {kind: getattr(assignment, kind) for kind in _HOLDERS}
    return next((kind, plain_id(value)) for kind, value in given.items() if value is not None)


def _grant(record: AssignmentRecord) -> Grant | None:
    role = roles.find(record.role)
    if role is None:
        _log.error("the role assignment %s gives nothing: there is no role '%s'", record.id, record.role)
        return None
    return Grant(
        place=record.place,
        permissions=roles.allowed(role, record.place),
        resource_level=role.resource_level,
        assigns=None if role.assigns is None else frozenset(role.assigns),
    )
