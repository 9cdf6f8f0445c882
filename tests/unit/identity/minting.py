"""An issuer for tests: it makes tokens good and bad, and answers for its keys without a network."""

import base64
import json
from collections import Counter
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

from forehearth.core.errors import Misconfigured, Unreachable
from forehearth.core.identity_settings import EntraSettings, IdentitySettings, OidcSettings
from forehearth.identity.issuers import trusted_issuers
from forehearth.identity.tokens import Tokens
from forehearth.testing.clock import VirtualClock

TENANT = "11111111-2222-3333-4444-555555555555"
V1 = f"https://sts.windows.net/{TENANT}/"
V2 = f"https://login.microsoftonline.com/{TENANT}/v2.0"
KEYS_URL = f"https://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys"
AUDIENCE = "https://ai.azure.com"
OIDC = "https://login.example.com/realms/one"
NOW = 1_800_000_000

RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
SMALL_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)  # noqa: S505 - refused for it
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, key_id: str, **members: Any) -> dict[str, Any]:
    """A private key's public half, as key sets have it."""
    kinds = {
        rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm,
        ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm,
        ed25519.Ed25519PrivateKey: jwt.algorithms.OKPAlgorithm,
        ed448.Ed448PrivateKey: jwt.algorithms.OKPAlgorithm,
    }
    algorithm = next(found for kind, found in kinds.items() if isinstance(key, kind))
    return json.loads(algorithm.to_jwk(key.public_key())) | {"kid": key_id} | members


class Issuers:
    """The documents that the issuers publish, how often each was fetched, and what goes wrong with them."""

    def __init__(self) -> None:
        self.fetched: Counter[str] = Counter()
        self.keys = [jwk(RSA_KEY, "one", use="sig"), jwk(EC_KEY, "ec"), jwk(ED_KEY, "ed"), jwk(SMALL_KEY, "small")]
        self.down = False
        self.unusable = False
        self.documents: dict[str, bytes] = {}

    async def __call__(self, url: str) -> bytes:
        self.fetched[url] += 1
        if self.down:
            raise Unreachable("no connection")
        if self.unusable:
            raise Misconfigured("an address of no host")
        if url in self.documents:
            return self.documents[url]
        if url.endswith("/.well-known/openid-configuration"):
            base = url.removesuffix("/.well-known/openid-configuration")
            return json.dumps({"issuer": base, "jwks_uri": f"{base}/keys"}).encode()
        return json.dumps({"keys": self.keys}).encode()


class Desk:
    """Tokens as the server verifies them, on a virtual clock."""

    def __init__(self, *, algorithms: tuple[Any, ...] = ("RS256", "ES256", "EdDSA"), **entra: Any) -> None:
        self.issuers = Issuers()
        self.clock = VirtualClock(unix=NOW)
        settings = IdentitySettings(
            entra=EntraSettings(tenants=(TENANT,), **entra),
            oidc={"one": OidcSettings(issuer=OIDC, audiences=(AUDIENCE,), algorithms=algorithms)},
        )
        self.tokens = Tokens(trusted_issuers(settings, self.issuers, self.clock), self.clock)

    async def verify(self, token: bytes) -> Any:
        """The claims. Raises what the server raises."""
        claims = self.tokens.verify(token)
        return claims if hasattr(claims, "expires") else await claims


def payload(**members: Any) -> dict[str, Any]:
    """A user's v1 token, with these members instead; those that are `...` are left out."""
    full = {
        "iss": V1,
        "aud": AUDIENCE,
        "tid": TENANT,
        "oid": "aaaaaaaa-0000-0000-0000-000000000001",
        "sub": "subject",
        "upn": "somebody@example.com",
        "appid": "bbbbbbbb-0000-0000-0000-000000000002",
        "scp": "user_impersonation",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 3_600,
        "ver": "1.0",
    } | members
    return {name: value for name, value in full.items() if value is not ...}


def part(value: Any) -> bytes:
    """One part of a token: an object as JSON, or bytes as they are."""
    raw = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def sign(head: Any, body: Any, key: Any = RSA_KEY) -> bytes:
    """A token of exactly these parts, signed with RS256 whatever its header says."""
    signed = part(head) + b"." + part(body)
    return signed + b"." + part(key.sign(signed, padding.PKCS1v15(), hashes.SHA256()))


def mint(key: Any = RSA_KEY, *, header: dict[str, Any] | None = None, **members: Any) -> bytes:
    """A token that is good but for what is given."""
    head = {"alg": "RS256", "typ": "JWT", "kid": "one"} | (header or {})
    return sign({name: value for name, value in head.items() if value is not ...}, payload(**members), key)


def mint_with(algorithm: str, key: Any, key_id: str, **members: Any) -> bytes:
    """A token of the other issuer, which has several algorithms."""
    body = payload(**({"iss": OIDC, "tid": ...} | members))
    return jwt.encode(body, key, algorithm=algorithm, headers={"kid": key_id}).encode()
