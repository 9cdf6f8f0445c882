"""What has to fit together of `identity`: roles, issuers, and the ids of those whom the development issuer knows.

A server refuses all of it when it starts. Here each is told with its place, and all of them at once.
"""

from collections.abc import Iterator
from typing import Literal

from forehearth.config import nodes, scalars
from forehearth.config.binding import Binder
from forehearth.config.nearest import listed, nearest, suggestion
from forehearth.config.problems import Path as KeyPath
from forehearth.core.identity_settings import DEVELOPER, ROLE_NAMES, AssignmentSettings, EntraSettings, development_id
from forehearth.core.issuers import DEVELOPMENT, ENTRA, entra_issuers, is_safe
from forehearth.core.settings import ServerSettings

_ASSIGNMENTS: KeyPath = ("identity", "assignments")
_OIDC: KeyPath = ("identity", "oidc")
_ENTRA: KeyPath = ("identity", "entra")
_DEVELOPMENT: KeyPath = ("identity", "development")
_ROLES = frozenset(name.casefold() for name in ROLE_NAMES)


def check_identity(binder: Binder) -> None:
    """Note what does not fit."""
    for path in [path for path in binder.values if path[:-1] == _ASSIGNMENTS]:
        _role(binder, path)
        _place(binder, path)
        _whose_id(binder, path)
    _issuers_names(binder)
    _where_keys_are(binder)
    _issuers_once(binder)
    _ids_once(binder, "users", "id", "user")
    _ids_once(binder, "applications", "client_id", "application")


def _role(binder: Binder, assignment: KeyPath) -> None:
    path = (*assignment, "role")
    node = _given(binder, path)
    if node is not None and node.text.casefold() not in _ROLES:
        hint = suggestion(node.text, ROLE_NAMES, "there are")
        binder.tell(node.mark, path, f"there is no role{scalars.called(node)}", hint)


def _place(binder: Binder, assignment: KeyPath) -> None:
    """A role is assigned in a resource and a project that there are: a mistyped one would give nothing, silently."""
    own = _given(binder, ("server", "resource"))
    default = ServerSettings().resource if own is None else own.text
    resources = [default, *_names(binder, "resources")]
    wanted, project = (_given(binder, (*assignment, key)) for key in ("resource", "project"))
    resource = default if wanted is None else wanted.text
    if wanted is not None and resource not in resources:
        hint = suggestion(resource, resources, "there are")
        binder.tell(wanted.mark, (*assignment, "resource"), f"there is no resource{scalars.called(wanted)}", hint)
    tenant = () if resource == default else ("resources", resource)
    projects = ["default", *_names(binder, *tenant, "projects")]
    if project is not None and project.text not in projects:
        hint = suggestion(project.text, projects, "there are")
        binder.tell(project.mark, (*assignment, "project"), f"there is no project{scalars.called(project)}", hint)


def _whose_id(binder: Binder, assignment: KeyPath) -> None:
    """An id means nothing without its issuer: another one could give it to somebody else."""
    node, names = binder.values[assignment], _issuers(binder)
    named = _given(binder, (*assignment, "issuer"))
    if named is not None and named.text not in {*names, DEVELOPMENT}:
        hint = suggestion(named.text, names, "there are")
        binder.tell(named.mark, (*assignment, "issuer"), f"there is no issuer{scalars.called(named)}", hint)
    elif named is None and len(names) > 1 and isinstance(node, nodes.Mapping) and not _is_misspelt(node):
        binder.tell(node.mark, assignment, "the key 'issuer' is missing", f"say whose id this is: {listed(names)}")


def _is_misspelt(assignment: nodes.Mapping) -> bool:
    """Whether a key is there that means the issuer, and was told to be unknown."""
    names = (entry.key.text for entry in assignment.entries)
    return any(nearest(name, ("issuer",)) for name in names if name not in AssignmentSettings.__struct_fields__)


def _issuers(binder: Binder) -> list[str]:
    """Whose ids there are; the development issuer's where nobody else is trusted."""
    entra = binder.values.get(_ENTRA)
    there = [ENTRA] if entra is not None and not scalars.is_null(entra) else []
    return [*there, *_names(binder, *_OIDC)] or [DEVELOPMENT]


def _issuers_names(binder: Binder) -> None:
    for name in _names(binder, *_OIDC):
        if name in {ENTRA, DEVELOPMENT}:
            path = (*_OIDC, name)
            binder.tell(binder.keys[path], path, f"the name '{name}' means another issuer", "choose another one")


def _where_keys_are(binder: Binder) -> None:
    """Whoever is on the way of unencrypted keys can put in their own, and then make tokens."""
    found = [(*_ENTRA, "authority")]
    for name in _names(binder, *_OIDC):
        named = (*_OIDC, name, "keys_url")
        found.append((*_OIDC, name, "issuer") if _given(binder, named) is None else named)
    for path in found:
        node = _given(binder, path)
        if node is not None and node.text.startswith("http:") and not is_safe(node.text):
            binder.tell(node.mark, path, "keys are not fetched over http from another machine", "use https")


def _issuers_once(binder: Binder) -> None:
    seen = dict.fromkeys(_of_entra(binder), ENTRA)
    for name in _names(binder, *_OIDC):
        path = (*_OIDC, name, "issuer")
        node = _given(binder, path)
        if node is None:
            continue
        other = seen.setdefault(node.text, name)
        if other != name:
            binder.tell(node.mark, path, f"'{other}' is the same issuer", "name an issuer once")


def _of_entra(binder: Binder) -> Iterator[str]:
    given = _given(binder, (*_ENTRA, "authority"))
    authority = EntraSettings(tenants=()).authority if given is None else given.text
    for path in list(binder.values) if is_safe(authority) else ():
        tenant = _given(binder, path) if path[:-1] == (*_ENTRA, "tenants") else None
        if tenant is not None:
            yield from entra_issuers(authority, tenant.text)


def _ids_once(binder: Binder, group: str, key: str, kind: Literal["user", "application"]) -> None:
    """Ids are made of names where none are given: one that was copied from there is somebody else's, too."""
    section = (*_DEVELOPMENT, group)
    always = [DEVELOPER] if kind == "user" else []
    seen: dict[str, str] = {}
    for name in dict.fromkeys([*always, *_names(binder, *section)]):
        path = (*section, name, key)
        given = _given(binder, path)
        other = seen.setdefault(development_id(kind, name, given.text if given else None), name)
        if other != name:
            mark = given.mark if given else binder.keys[path[:-1]]
            binder.tell(mark, path if given else path[:-1], f"'{other}' has the same {key}", "give each its own")


def _names(binder: Binder, *section: str | int) -> list[str]:
    return [str(path[-1]) for path in binder.keys if path[:-1] == section]


def _given(binder: Binder, path: KeyPath) -> nodes.Scalar | None:
    """The single value that stands there; None where there is none."""
    node = binder.values.get(path)
    return node if isinstance(node, nodes.Scalar) and not scalars.is_null(node) else None
