"""What an installation keeps for itself: secrets of its own, made once, in `keys/` of the data directory."""

import base64
import hashlib
import hmac
import secrets
import stat
from pathlib import Path

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.document import Document, DocumentExists
from forehearth.core.errors import Misconfigured
from forehearth.core.place import Place
from forehearth.core.secret import Secret
from forehearth.core.store_settings import PEPPER_BYTES, decoded
from forehearth.ports.documents import DocumentStore
from forehearth.server.data_directory import DataDirectory, write_private

_NOWHERE = Place(resource="")
"""What belongs to the installation is in no resource."""
_KIND = "installation"
_PURPOSE = b"pepper-in-store"


def pepper(data: DataDirectory, given: Secret | None) -> bytes:
    """What keys are hashed with before they are kept: the one that is `given` by the configuration, else the one here.

    That one is made when it is not there: call it under the lock at first. Raises `Misconfigured` when it cannot be
    read, or can be by others. Without it, no key that was made is good.
    """
    return _secret(data.keys / "pepper") if given is None else decoded(given.reveal())


def written(pepper: bytes) -> tuple[Secret, Secret]:
    """A pepper in both alphabets of base64, as files and variables have it: for the log, which takes them out."""
    return Secret(base64.b64encode(pepper).decode()), Secret(base64.urlsafe_b64encode(pepper).decode())


async def require_same_pepper(documents: DocumentStore, secret: bytes, clock: Clock) -> None:
    """Note in a store with which pepper the keys in it are hashed, the first time; later, that it is the same.

    With another one, this server would refuse every key that others make, and they the ones made here. What is noted
    tells nothing about the pepper. Raises `Misconfigured` when it is another one, or `StoreFailed`.
    """
    proof = hashlib.blake2b(key=secret, digest_size=32, person=_PURPOSE).hexdigest()
    now = clock.unix()
    note = Document(
        place=_NOWHERE, kind=_KIND, id="pepper", created=now, updated=now, body=msgspec.json.encode({"proof": proof})
    )
    try:
        await documents.insert(note)
    except DocumentExists:
        found = await documents.get(_NOWHERE, _KIND, "pepper")
        if found is not None and not hmac.compare_digest(found.body, note.body):
            raise Misconfigured(
                "store.pepper is not the one that the keys in this store are hashed with: give every server the same"
            ) from None


def _secret(path: Path) -> bytes:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise Misconfigured(f"{path} can be read by others (mode {mode:04o}): run `chmod 600 {path}`")
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        made = secrets.token_bytes(PEPPER_BYTES)
        write_private(path, base64.urlsafe_b64encode(made) + b"\n")
        return made
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path} cannot be read: {error}") from error
    try:
        return decoded(text)
    except ValueError:
        raise Misconfigured(
            f"{path} does not hold a secret: restore it, or remove it and make every key anew"
        ) from None
