"""The key that tokens are signed with: RSA of 2048 bits, known by the thumbprint of its public half (RFC 7638)."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from forehearth.core.errors import Misconfigured
from forehearth.core.secret import Secret
from forehearth.identity.development.payloads import ALGORITHM

_BITS = 2_048
_EXPONENT = 65_537


class SigningKey:
    """Signs. `id` and `public` tell others how to verify."""

    def __init__(self, pem: Secret) -> None:
        """Raises `Misconfigured` when it is no such key."""
        try:
            key = serialization.load_pem_private_key(pem.reveal().encode(), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < _BITS:
            raise Misconfigured("the development issuer's signing key is no RSA key: remove it to have one made")
        self._key = key
        self.id = thumbprint(key.public_key())
        """The key id."""
        self.public: Mapping[str, str] = {**_required(key.public_key()), "use": "sig", "alg": ALGORITHM, "kid": self.id}
        """The public half, as a key set lists it."""

    def sign(self, payload: Mapping[str, Any]) -> Secret:
        """The payload as a token."""
        return Secret(jwt.encode(dict(payload), self._key, algorithm=ALGORITHM, headers={"kid": self.id}))


def new_signing_key() -> bytes:
    """A new key in PEM. Takes a moment."""
    key = rsa.generate_private_key(public_exponent=_EXPONENT, key_size=_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def thumbprint(key: rsa.RSAPublicKey) -> str:
    """The hash of the members that a key cannot be without (RFC 7638)."""
    canonical = json.dumps(_required(key), separators=(",", ":"), sort_keys=True).encode()
    return _letters(hashlib.sha256(canonical).digest())


def _required(key: rsa.RSAPublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    return {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}


def _number(value: int) -> str:
    return _letters(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _letters(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
