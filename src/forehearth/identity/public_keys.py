"""What a key of a key set may be used for. It brings cryptography: only a process that trusts an issuer imports it."""

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import get_default_algorithms
from jwt.exceptions import PyJWTError

from forehearth.identity.verifying_key import VerifyingKey

_SMALLEST_RSA = 2_048
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


def usable(jwk: Mapping[str, Any]) -> VerifyingKey | None:
    """The key of this member of a set; None for one that cannot be used, or must not be."""
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    if "d" in jwk:  # a private key that is published is everybody's
        return None
    every = get_default_algorithms()
    names = {"RSA": _RSA, "EC": ("ES256",), "OKP": ("EdDSA",)}.get(str(jwk.get("kty")), ())
    if not names:
        return None
    try:
        key = every[names[0]].from_jwk(dict(jwk))
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    names = tuple(name for name in _algorithms_of(key) if jwk.get("alg", name) == name)
    return VerifyingKey(key, {name: every[name] for name in names}) if names else None


def _algorithms_of(key: object) -> tuple[str, ...]:
    """What a public key may be used with; nothing for one that is too small, or private."""
    if isinstance(key, RSAPublicKey):
        return _RSA if key.key_size >= _SMALLEST_RSA else ()
    if isinstance(key, EllipticCurvePublicKey):
        return (
            ("ES256",) if isinstance(key.curve, SECP256R1) else ("ES384",) if isinstance(key.curve, SECP384R1) else ()
        )
    return ("EdDSA",) if isinstance(key, Ed25519PublicKey) else ()
