"""What makes one installation's issuer its own: a directory id, a signing key and a secret, made once and kept private.

issuer       the directory id and the secret, as JSON
issuer.pem   the signing key
"""

import secrets
import stat
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec

from forehearth.core.errors import Misconfigured
from forehearth.core.secret import Secret

SECRET_BYTES = 32
_FACTS, _KEY = "issuer", "issuer.pem"


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """An issuer that is nobody else's."""

    tenant: str
    """The id of its directory, a GUID."""
    secret: Secret
    """What identity headers are made with."""
    key: Secret
    """The signing key, in PEM."""


class _Facts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tenant: str
    secret: str


def ensure(folder: Path, save: Callable[[Path, bytes], None], new_key: Callable[[], bytes]) -> Installation:
    """The installation that is kept in `folder`, made when there is none. Call it in one process at a time.

    `save` writes a private file, whole or not at all. Raises `Misconfigured` when what is there cannot be used.
    """
    found = stored(folder)
    if found is not None:
        return found
    facts = _Facts(tenant=str(uuid.uuid4()), secret=secrets.token_urlsafe(SECRET_BYTES))
    save(folder / _KEY, new_key())
    save(folder / _FACTS, msgspec.json.encode(facts))  # last: with it, the installation is there
    made = stored(folder)
    if made is None:
        raise Misconfigured(f"what the development issuer needs cannot be kept in {folder}")
    return made


def stored(folder: Path) -> Installation | None:
    """The installation that is kept in `folder`; None when there is none.

    Raises `Misconfigured` when others can read it, or nobody can.
    """
    text = _private(folder / _FACTS)
    if text is None:
        return None
    key = _private(folder / _KEY)
    try:
        facts = msgspec.json.decode(text, type=_Facts)
        whole = key is not None and bool(facts.secret) and str(uuid.UUID(facts.tenant)) == facts.tenant
    except (msgspec.DecodeError, ValueError):
        whole = False
    if key is None or not whole:
        raise Misconfigured(
            f"{folder / _FACTS} and {_KEY} beside it are not what the development issuer wrote: remove both, "
            "and the server makes new ones"
        )
    return Installation(tenant=facts.tenant, secret=Secret(facts.secret), key=Secret(key.decode("ascii", "replace")))


def _private(path: Path) -> bytes | None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise Misconfigured(f"{path} can be read by others (mode {mode:04o}): run `chmod 600 {path}`")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from error
