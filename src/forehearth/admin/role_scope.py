"""What may be assigned to whom, where: checked against what there is, and against who assigns it."""

import re
from collections.abc import Mapping

import msgspec

from forehearth.admin.key_scope import Tenant, beyond
from forehearth.config.nearest import suggestion
from forehearth.core.errors import InvalidField, PermissionDenied
from forehearth.core.issuers import DEVELOPMENT, ENTRA
from forehearth.core.place import Place
from forehearth.core.principal import Principal
from forehearth.identity import roles
from forehearth.identity.assignment_records import AssignmentRecord, PrincipalType, is_guid, plain_id, with_id
from forehearth.identity.key_records import INFERENCE, KeyRecord
from forehearth.identity.key_text import masked
from forehearth.identity.roles import Role

_LONGEST = 256
_SHOWN = 100
_AGENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_UNLIMITED = KeyRecord(id="", name="", resource="", created=0, secrets=())
"""What holders of a role are like, compared with a key: nothing limits them but the role."""
_ASSIGN = "Microsoft.Authorization/roleAssignments/write"


class Holders(msgspec.Struct, frozen=True, kw_only=True):
    """Who can have a role, as far as that is known: whose tokens are trusted."""

    issuers: tuple[str, ...]
    """Their names in the configuration."""
    directories: frozenset[str] = frozenset()
    """Those of Entra ID, by id."""
    development: Mapping[PrincipalType, Mapping[str, str]] = {}
    """Everybody whom the development issuer knows: by type, from a name or an id to the id."""


class RoleScope(msgspec.Struct, frozen=True, kw_only=True):
    """Which role, for whom, where; as it was asked for."""

    role: str
    principal_type: PrincipalType
    principal_id: str
    issuer: str | None = None
    tenant: str | None = None
    project: str | None = None
    agent: str | None = None


def check(scope: RoleScope, resource: str, tenant: Tenant, holders: Holders, key: KeyRecord | None) -> AssignmentRecord:
    """The assignment in its plain form, under its id. `key` is the one that a scope for a key means.

    Raises `InvalidField`, which names the member and the remedy.
    """
    role = named(scope.role)
    place = _place(scope, resource, tenant)
    record = AssignmentRecord(
        id="",
        role=role.name,
        principal_type=scope.principal_type,
        principal_id="",
        resource=resource,
        project=place.project,
        agent=place.agent,
    )
    if key is not None:
        _check_role_of_key(scope, role)
        return with_id(msgspec.structs.replace(record, principal_id=key.id, principal_name=key.name))
    _check_role_at(role, place)
    issuer = _issuer(scope, holders)
    directory = _directory(scope, issuer, holders)
    principal = _principal(scope, issuer, holders)
    name = scope.principal_id if issuer == DEVELOPMENT and principal != plain_id(scope.principal_id) else ""
    return with_id(
        msgspec.structs.replace(record, principal_id=principal, principal_name=name, issuer=issuer, tenant=directory)
    )


def named(name: str) -> Role:
    """The role of that name. Raises `InvalidField`."""
    try:
        return roles.named(name[:_SHOWN])
    except ValueError as error:
        raise InvalidField(f"Invalid value for 'role': {error}.", param="role") from None


def check_id(text: str) -> None:
    """Raise `InvalidField` for what is nobody's id."""
    if not 0 < len(text) <= _LONGEST or not text.isprintable():
        raise _wrong_id(f"it must have 1 to {_LONGEST} characters that can be printed")
    if masked(text) != text:
        raise _wrong_id("it looks like a key; name it by its id or its name, which are shown, as keys are not")


def no_such_key(text: str) -> InvalidField:
    """For a key that is not there, or that is another resource's: they are told alike."""
    return _wrong_id(f"there is no key '{text[:_SHOWN]}' in this resource")


def require_may_assign(maker: Principal, record: AssignmentRecord, own: KeyRecord | None) -> None:
    """Pass who may give a role to the holders of tokens, and take it from them. `own` is the key that it is done with.

    Raises `PermissionDenied`.
    """
    if not maker.may_assign(record.role, record.place):
        raise PermissionDenied(
            f"The principal `{maker.id or maker.name}` lacks the required action `{_ASSIGN}` for the role "
            f"`{record.role}`: Owner assigns every role; Foundry Account Owner and keys made with admin assign "
            "Foundry User."
        )
    bounds = [] if own is None else beyond(_UNLIMITED, own, maker.until, roles=not own.roles_only)
    if bounds:
        raise PermissionDenied(
            f"The key `{maker.id}` cannot give what it does not have: it is limited in {', '.join(bounds)}, and "
            "holders of a role are not. Use a key without these limits, or give the role to a key with the same ones."
        )


def _place(scope: RoleScope, resource: str, tenant: Tenant) -> Place:
    project, agent = scope.project or "", scope.agent or ""
    if scope.project is not None and project not in tenant.projects:
        hint = suggestion(project, sorted(tenant.projects), "there are")
        raise InvalidField(
            f"Invalid value for 'project': there is no project '{project[:_SHOWN]}'; {hint}.", param="project"
        )
    if scope.agent is not None and scope.project is None:
        raise InvalidField("Invalid value for 'agent': an agent is in a project; name it, too.", param="agent")
    if scope.agent is not None and _AGENT.fullmatch(agent) is None:
        raise InvalidField(
            "Invalid value for 'agent': it must be at most 128 letters, digits, '.', '_' and '-', and begin with a "
            "letter or a digit.",
            param="agent",
        )
    return Place(resource=resource, project=project, agent=agent)


def _check_role_at(role: Role, place: Place) -> None:
    """A role that allows something, and nothing there, is given by mistake."""
    if not role.permissions or roles.allowed(role, place):
        return
    where, member = ("at an agent", "agent") if place.agent else ("in a project", "project")
    raise InvalidField(
        f"Invalid value for '{member}': the role '{role.name}' allows nothing {where}; leave it out, to give it at the "
        "resource.",
        param=member,
    )


def _check_role_of_key(scope: RoleScope, role: Role) -> None:
    """Keys open inference at the resource: the service takes none in projects, at agents, or to manage anything."""
    if scope.project is not None:
        raise InvalidField(
            "Invalid value for 'project': a key opens nothing in a project, where only tokens are taken; leave it out.",
            param="project",
        )
    for member in ("issuer", "tenant"):
        if getattr(scope, member) is not None:
            raise InvalidField(f"Invalid value for '{member}': a key has none; leave it out.", param=member)
    if not INFERENCE & role.permissions:
        raise InvalidField(
            f"Invalid value for 'role': '{role.name}' has no data action that a key can use. A key opens '/admin' when "
            "it is made with 'admin'; agents and projects take tokens.",
            param="role",
        )


def _issuer(scope: RoleScope, holders: Holders) -> str:
    there = holders.issuers
    if scope.issuer is None and len(there) == 1:
        return there[0]
    if scope.issuer is not None and scope.issuer in {*there, DEVELOPMENT}:
        return scope.issuer
    if scope.issuer is None:
        said = f"Missing required parameter: 'issuer'; say whose id it is: {', '.join(there)}."
        raise InvalidField(said, param="issuer")
    hint = suggestion(scope.issuer, there, "there are")
    raise InvalidField(
        f"Invalid value for 'issuer': there is no issuer '{scope.issuer[:_SHOWN]}'; {hint}.", param="issuer"
    )


def _directory(scope: RoleScope, issuer: str, holders: Holders) -> str:
    if scope.tenant is None:
        return ""
    tenant = plain_id(scope.tenant)
    if issuer not in {ENTRA, DEVELOPMENT}:
        raise InvalidField(
            f"Invalid value for 'tenant': tokens of '{issuer}' are of no directory; leave it out.", param="tenant"
        )
    if not is_guid(tenant) or (issuer == ENTRA and tenant not in holders.directories):
        there = f"; there are {', '.join(sorted(holders.directories))}" if issuer == ENTRA else ""
        raise InvalidField(
            f"Invalid value for 'tenant': it is not the id of a directory whose tokens are trusted{there}.",
            param="tenant",
        )
    return tenant


def _principal(scope: RoleScope, issuer: str, holders: Holders) -> str:
    given, kind = scope.principal_id, scope.principal_type
    if issuer == DEVELOPMENT:
        known = holders.development.get(kind, {})
        found = known.get(plain_id(given))
        if found is None:
            names = [name for name in known if not is_guid(name)] or list(known)
            hint = suggestion(given, names, "there are") or "there is none"
            raise _wrong_id(f"the development issuer knows no {kind} '{given[:_SHOWN]}'; {hint}")
        return found
    if issuer == ENTRA and kind != "app_role" and not is_guid(given):
        what = "object id or client id" if kind == "application" else "object id"
        raise _wrong_id(f"in Entra ID it is the {what}, a GUID such as 12345678-1234-1234-1234-123456789012")
    return plain_id(given)


def _wrong_id(why: str) -> InvalidField:
    return InvalidField(f"Invalid value for 'principalId': {why}.", param="principalId")
