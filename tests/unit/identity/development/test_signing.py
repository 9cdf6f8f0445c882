"""The signing key."""

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from forehearth.core.errors import Misconfigured
from forehearth.core.secret import Secret
from forehearth.identity.development.signing import SigningKey, thumbprint
from tests.unit.identity.development.cast import INSTALLATION

PEM = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def test_what_it_signs_is_verified_with_its_public_half():
    key = SigningKey(INSTALLATION.key)
    token = key.sign({"a": 1}).reveal()
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT", "kid": key.id}
    assert jwt.decode(token, jwt.PyJWK(dict(key.public)), algorithms=["RS256"]) == {"a": 1}


def test_the_public_half_has_nothing_private():
    assert set(SigningKey(INSTALLATION.key).public) == {"e", "kty", "n", "use", "alg", "kid"}


def test_the_key_id_is_the_thumbprint_of_rfc_7638():
    key = rsa.RSAPublicNumbers(
        e=65_537,
        n=int.from_bytes(
            jwt.utils.base64url_decode(
                "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV"
                "4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0"
                "zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-cs"
                "FCur-kEgU8awapJzKnqDKgw"
            ),
            "big",
        ),
    ).public_key()
    assert thumbprint(key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ec.generate_private_key(ec.SECP256R1()).private_bytes(*PEM),
        rsa.generate_private_key(65_537, 1_024).private_bytes(*PEM),  # noqa: S505 - what is to be refused
    ],
    ids=["empty", "broken", "another kind", "too small"],
)
def test_another_key_is_refused(pem: bytes):
    with pytest.raises(Misconfigured, match="signing key"):
        SigningKey(Secret(pem.decode()))
