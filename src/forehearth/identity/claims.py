"""What a token says of its holder, once its signature is known to be its issuer's."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

SKEW_SECONDS = 60.0
"""How far an issuer's clock may be from ours."""

_LATEST = 253_402_300_800.0
"""The end of the year 9999: later than this is no date."""
_LONGEST_NAME = 256
_MOST_AUDIENCES = 16
_MOST_VALUES = 1_000
_CALLS = frozenset({"scp", "azp", "appid", "idtyp"})
"""What Entra puts into access tokens, some of it into each, and into no id token unless it is asked to."""


class Untrue(ValueError):
    """A token that is genuine and not good here. The message is for the log."""


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """The holder of a token."""

    issuer: str
    """The issuer's name in the configuration."""
    tenant: str = ""
    """The directory, where the issuer has several."""
    id: str
    """The object id of the user or application, or the subject where there is none."""
    kind: Literal["user", "application"]
    name: str
    """Fit for logs."""
    application: str = ""
    """The client id that the token was issued to."""
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    groups_omitted: bool = False
    """Whether the token has too many groups to list them, and says where to ask instead. Nobody is asked."""
    expires: float
    """Unix seconds."""


def check_times(payload: Mapping[str, Any], now: float) -> float:
    """When the token ends. Raises `Untrue` when it is not good now, give or take the skew."""
    expires = _time(payload, "exp")
    if expires is None:
        raise Untrue("it never expires")
    if now >= expires + SKEW_SECONDS:
        raise Untrue("it has expired")
    for name in ("nbf", "iat"):
        start = _time(payload, name)
        if start is not None and start > now + SKEW_SECONDS:
            raise Untrue(f"its {name} is in the future")
    return expires


def check_audience(payload: Mapping[str, Any], accepted: frozenset[str], *, is_entra: bool) -> None:
    """Raise `Untrue` when the token is for somebody else. Audiences count with and without a slash at their end.

    Other issuers than Entra make tokens that are for several, and then for us as well as for strangers.
    """
    audience = payload.get("aud")
    values = [audience] if isinstance(audience, str) else audience
    if not isinstance(values, list) or not 0 < len(values) <= _MOST_AUDIENCES:
        raise Untrue("it has no audience")
    if not all(isinstance(value, str) for value in values):
        raise Untrue("its audience is no text")
    ours = [value.removesuffix("/") in accepted for value in values]
    if not (all(ours) if is_entra else any(ours)):
        raise Untrue("it is for another audience")


def check_use(payload: Mapping[str, Any], *, is_entra: bool) -> None:
    """Raise `Untrue` when the token is genuine and nothing to call with: it tells of an event, or who signed in."""
    if "events" in payload or (is_entra and _CALLS.isdisjoint(payload)):
        raise Untrue("it is no access token")


def read(payload: Mapping[str, Any], *, issuer: str, tenant: str, expires: float) -> Claims:
    """Who holds a token of this payload. Raises `Untrue` when it does not say."""
    subject = _id(payload, "oid") or _id(payload, "sub")
    if not subject:
        raise Untrue("it does not say whose it is")
    application = next((found for name in ("azp", "appid", "client_id") if (found := _id(payload, name))), "")
    listed = _texts(payload, "scp") or _texts(payload, "scope")
    scopes = frozenset(scope for each in listed for scope in each.split())
    kind: Literal["user", "application"] = (
        "application" if _is_application(payload, application, is_entra=bool(tenant)) else "user"
    )
    name = next((found for each in _NAMES[kind] if (found := _text(payload, each))), "") or subject
    omitted = payload.get("_claim_names")
    return Claims(
        issuer=issuer,
        tenant=tenant,
        id=subject,
        kind=kind,
        name="".join(letter for letter in name if letter.isprintable()) or "nameless",
        application=application,
        roles=_texts(payload, "roles"),
        scopes=scopes,
        groups=_texts(payload, "groups"),
        groups_omitted=isinstance(omitted, dict) and "groups" in omitted,
        expires=expires,
    )


_NAMES = {
    "user": ("preferred_username", "upn", "unique_name", "email"),
    "application": ("app_displayname", "azp", "appid", "client_id"),
}


def _is_application(payload: Mapping[str, Any], application: str, *, is_entra: bool) -> bool:
    """As the token says it (`idtyp`), or else: in Entra, nobody's scopes and nobody's name; elsewhere, its own subject.

    A person who comes through an application is not that application, whatever roles the token lists.
    """
    kind = payload.get("idtyp")
    if kind is not None:
        return bool(kind == "app")
    if is_entra:
        return bool(application) and "scp" not in payload and not any(name in payload for name in _NAMES["user"])
    return bool(application) and payload.get("sub") == application


def _time(payload: Mapping[str, Any], name: str) -> float | None:
    value = payload.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Untrue(f"its {name} is no number")
    if not 0 <= value < _LATEST:
        raise Untrue(f"its {name} is no date")
    return float(value)


def _text(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        raise Untrue(f"its {name} is no usable text")
    return value


def _id(payload: Mapping[str, Any], name: str) -> str:
    """A text that can stand in messages and records as it is."""
    value = _text(payload, name)
    if not value.isprintable():
        raise Untrue(f"its {name} has letters that cannot be printed")
    return value


def _texts(payload: Mapping[str, Any], name: str) -> frozenset[str]:
    values = payload.get(name)
    if values is None:
        return frozenset()
    if isinstance(values, str):
        values = [values]
    if not isinstance(values, list) or len(values) > _MOST_VALUES or not all(isinstance(each, str) for each in values):
        raise Untrue(f"its {name} is no list of texts")
    return frozenset(values)
