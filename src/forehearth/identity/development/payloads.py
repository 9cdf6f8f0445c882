"""What tokens say, member by member as Entra ID's of version 2.0 do."""

from typing import Any, Final

import msgspec

from forehearth.identity.development.people import Application, Person

ALGORITHM: Final = "RS256"
"""What they are signed with."""


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What every token says, whoever holds it. Both times are Unix seconds."""

    issuer: str
    tenant: str
    audience: str
    issued: int
    expires: int
    unique: str
    """In no other token."""


def of_person(person: Person, frame: Frame, client_id: str) -> dict[str, Any]:
    """An access token of somebody who signed in with the application `client_id`."""
    payload = _frame(frame) | {
        "azp": client_id,
        "azpacr": "0",
        "idtyp": "user",
        "name": person.name,
        "oid": person.id,
        "preferred_username": _address(person),
        "scp": "user_impersonation",
        "sub": person.id,
    }
    return payload | _lists(groups=person.groups, roles=person.roles)


def of_application(application: Application, frame: Frame) -> dict[str, Any]:
    """An access token of a program that acts for itself."""
    payload = _frame(frame) | {
        "app_displayname": application.name,
        "azp": application.client_id,
        "azpacr": "1",
        "idtyp": "app",
        "oid": application.id,
        "sub": application.id,
    }
    return payload | _lists(roles=application.roles)


def identity_of(person: Person, frame: Frame) -> dict[str, Any]:
    """An id token: it tells the application that is its audience who signed in, and opens nothing."""
    return _frame(frame) | {
        "name": person.name,
        "oid": person.id,
        "preferred_username": _address(person),
        "sub": person.id,
    }


def _frame(frame: Frame) -> dict[str, Any]:
    return {
        "aud": frame.audience,
        "iss": frame.issuer,
        "iat": frame.issued,
        "nbf": frame.issued,
        "exp": frame.expires,
        "tid": frame.tenant,
        "uti": frame.unique,
        "ver": "2.0",
    }


def _lists(**given: tuple[str, ...]) -> dict[str, Any]:
    return {name: list(values) for name, values in given.items() if values}


def _address(person: Person) -> str:
    return f"{person.name}@forehearth.invalid"
