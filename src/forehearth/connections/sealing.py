"""Seals secrets with AES-256 in Galois/counter mode: whoever changes or moves a ciphertext has one that does not open.

A nonce is 96 random bits, of which the same one under the same key would come twice with a chance of 2^-32 after 2^32
seals (NIST SP 800-38D, 8.3); a key here seals some hundreds.
"""

import hashlib
import importlib
import logging
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final

from forehearth.core.errors import Broken, Misconfigured
from forehearth.core.sealed import Sealed, Unsealable
from forehearth.ports.sealer import SealingKeys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_PURPOSE: Final = b"sealing-key-id"
_CIPHERS: Final = "cryptography.hazmat.primitives.ciphers.aead"
_ERRORS: Final = "cryptography.exceptions"
"""Imported by a process that seals or opens, and by no other."""


_log = logging.getLogger("forehearth.connections")


def key_id(key: bytes) -> str:
    """What a key is called: a keyed hash of nothing, which tells nothing about it."""
    return hashlib.blake2b(key=key, digest_size=8, person=_PURPOSE).hexdigest()


class AeadSealer:
    """A `ports.sealer.Sealer`. The keys are asked for each time: another process may have put a new one first."""

    def __init__(self, keys: SealingKeys, random_bytes: Callable[[int], bytes]) -> None:
        self._keys = keys
        self._random_bytes = random_bytes

    def seal(self, secret: bytes, context: bytes) -> Sealed:
        """See `ports.sealer`."""
        key, nonce = self._all()[0], self._random_bytes(_NONCE_BYTES)
        name = key_id(key)
        return Sealed(key=name, nonce=nonce, text=_cipher(key).encrypt(nonce, secret, _bound(context, name)))

    def open(self, sealed: Sealed, context: bytes) -> bytes:
        """See `ports.sealer`."""
        changed: type[Exception] = importlib.import_module(_ERRORS).InvalidTag
        key = next((each for each in self._all() if key_id(each) == sealed.key), None)
        if key is None:
            raise Unsealable("it is sealed with a key that this server does not have")
        try:
            return _cipher(key).decrypt(sealed.nonce, sealed.text, _bound(context, sealed.key))
        except (changed, ValueError):  # ValueError: a nonce of another length
            raise Unsealable("it was changed after it was sealed, or belongs to something else") from None

    def is_current(self, sealed: Sealed) -> bool:
        """See `ports.sealer`."""
        return key_id(self._all()[0]) == sealed.key

    def _all(self) -> Sequence[bytes]:
        try:
            return self._keys.all()
        except Misconfigured as error:
            _log.error("the keys that secrets are encrypted with cannot be used: %s", error.message)
            raise Broken(
                "What this server encrypts credentials with cannot be used; its log has the reason."
            ) from error

    def renew(self) -> bool:
        """See `ports.sealer`."""
        return self._keys.renew()

    def forget(self, used: Collection[str]) -> None:
        """See `ports.sealer`."""
        self._keys.forget(used)


def _cipher(key: bytes) -> "AESGCM":
    cipher: AESGCM = importlib.import_module(_CIPHERS).AESGCM(key)
    return cipher


def _bound(context: bytes, name: str) -> bytes:
    return name.encode() + b"\n" + context
