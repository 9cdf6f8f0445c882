"""Who the development issuer knows: people and applications of the configuration, and `developer`, who is always there.

An id that the configuration does not give is made of the name, and so is always the same for it.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from forehearth.core.errors import Misconfigured
from forehearth.core.identity_settings import (
    DEVELOPER,
    DevelopmentIssuerSettings,
    DevelopmentUserSettings,
    development_id,
)
from forehearth.core.secret import Secret
from forehearth.identity.assignment_records import PrincipalType, plain_id
from forehearth.identity.development.denied import Denied

SIGN_ON_CLIENT: Final = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
"""The application that people sign in with when they name none: the Azure CLI's, and so every SDK's own default."""

_SELECTORS = ("client_id", "object_id", "principal_id", "mi_res_id", "msi_res_id", "resource_id")


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who signs in."""

    name: str
    id: str
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """A program that acts for itself: by its secret, or without one as a managed identity."""

    name: str
    id: str
    """Its object id."""
    client_id: str
    secret: Secret | None = None
    roles: tuple[str, ...] = ()


class People:
    """All of them."""

    def __init__(self, settings: DevelopmentIssuerSettings) -> None:
        """Raises `Misconfigured` when two of them have the same id."""
        users = {DEVELOPER: DevelopmentUserSettings(), **settings.users}
        self._people = {
            name: Person(name=name, id=development_id("user", name, user.id), groups=user.groups, roles=user.roles)
            for name, user in users.items()
        }
        self._applications = tuple(
            Application(
                name=name,
                id=development_id("application object", name, None),
                client_id=development_id("application", name, application.client_id),
                secret=application.secret,
                roles=application.roles,
            )
            for name, application in settings.applications.items()
        )
        _check_unlike("users", "id", {each.name: each.id for each in self._people.values()})
        _check_unlike("applications", "client_id", {each.name: each.client_id for each in self._applications})

    def ids(self) -> dict[PrincipalType, dict[str, str]]:
        """All of them: by what they are, from their name and from each of their ids to that id."""
        everybody = self._people.values()
        groups = {group for each in everybody for group in each.groups}
        app_roles = {role for some in (everybody, self._applications) for each in some for role in each.roles}
        return {
            "user": {name: each.id for each in everybody for name in (each.id, each.name)},
            "group": {plain_id(each): plain_id(each) for each in groups},
            "application": {each.client_id: each.client_id for each in self._applications}
            | {name: each.id for each in self._applications for name in (each.id, each.name)},
            "app_role": {plain_id(each): plain_id(each) for each in app_roles},
        }

    @property
    def developer(self) -> Person:
        """Who is meant when nobody is named."""
        return self._people[DEVELOPER]

    def person(self, name: str) -> Person:
        """The person of that name. Raises `Denied`."""
        found = self._people.get(name)
        if found is None:
            known = " and ".join(sorted(self._people))
            raise Denied(
                "invalid_request", 50034, f"There is no such user: there are {known}, under identity.development.users."
            )
        return found

    def application(self, client_id: str) -> Application:
        """The application of that client id. Raises `Denied`."""
        for each in self._applications:
            if each.client_id == client_id.lower():
                return each
        raise Denied(
            "unauthorized_client",
            700016,
            "There is no application of that client id under identity.development.applications.",
        )

    def managed_identity(self, asked: Mapping[str, str]) -> Application | None:
        """The managed identity that is asked for by an id of its own; None where none is. Raises `Denied`.

        An application that has a secret is not one: it is asked for its secret, elsewhere.
        """
        given = [name for name in _SELECTORS if name in asked]
        if not given:
            return None
        wanted = asked[given[0]].lower()
        if len(given) == 1:
            for each in self._applications:
                if each.secret is None and wanted == _named(each, given[0], wanted):
                    return each
        raise Denied(
            "invalid_request",
            700016,
            "Identity not found: there is no application of that id without a secret under "
            "identity.development.applications. AZURE_CLIENT_ID names one, if it is set.",
        )

    def may_sign_in_with(self, client_id: str) -> bool:
        """Whether people sign in with that application: their SDK's own, or one of the configuration."""
        return client_id.lower() in {SIGN_ON_CLIENT, *(each.client_id for each in self._applications)}


def _named(application: Application, selector: str, wanted: str) -> str:
    """What `wanted` would have to be to mean this application."""
    match selector:
        case "client_id":
            return application.client_id
        case "object_id" | "principal_id":
            return application.id
        case _:  # the resource id: a path whose last part is the name
            return f"{wanted.rpartition('/')[0]}/{application.name.lower()}"


def _check_unlike(group: str, member: str, ids: Mapping[str, str]) -> None:
    seen: dict[str, str] = {}
    for name, value in ids.items():
        if value in seen:
            raise Misconfigured(
                f"identity.development.{group}.{name}.{member}: {seen[value]} has the same; give each its own"
            )
        seen[value] = name
