"""`python -m bench.identity_cost`: what it costs to know a caller, in microseconds of processor time.

Three figures: a key that is known, a token that was seen before, and a token that is seen for the first time and
signed with RS256. Each is the least of several rounds, because the machine's other work only ever adds.
"""

import argparse
import json
import secrets
import sys
import time
from collections.abc import Callable

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from forehearth.core.clock import SystemClock
from forehearth.core.exchange import Head
from forehearth.core.identity_settings import IdentitySettings, OidcSettings
from forehearth.core.secret import Secret
from forehearth.identity.issuers import trusted_issuers
from forehearth.identity.key_sets import read_keys
from forehearth.identity.keys import KeyRing
from forehearth.identity.tokens import Tokens

ROUNDS = 7
AIMS = {"key": 5.0, "repeated token": 15.0, "first token": 300.0}
_ISSUER, _AUDIENCE, _RESOURCE = "https://login.example.com", "https://ai.azure.com", "here"


def least(work: Callable[[], object], times: int) -> float:
    """Microseconds of processor time that `work` takes."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(times):
            work()
        found.append((time.process_time() - began) / times * 1e6)
    return min(found)


def key_check() -> float:
    """A key in a ring of its own."""
    key = secrets.token_urlsafe(32)
    ring = KeyRing(secrets.token_bytes(32), development=Secret(key), resources=[_RESOURCE])
    head = Head(method=b"POST", raw_path=b"/", headers={b"api-key": key.encode(), b"host": b"localhost"})
    return least(lambda: ring.identify(head, _RESOURCE, 0.0), 20_000)


def token_checks() -> tuple[float, float]:
    """A token that was seen before, and one that was not."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": "one"}
    settings = IdentitySettings(oidc={"bench": OidcSettings(issuer=_ISSUER, audiences=(_AUDIENCE,))})
    issuers = trusted_issuers(settings, _nobody, SystemClock())
    keys = issuers[_ISSUER].keys
    keys._keys, keys._fetched = read_keys(json.dumps({"keys": [public]}).encode()), time.monotonic()  # noqa: SLF001 - as if fetched
    now = int(time.time())
    payload = {
        "iss": _ISSUER,
        "aud": _AUDIENCE,
        "sub": "somebody",
        "iat": now,
        "exp": now + 3_600,
        "groups": ["g"] * 20,
    }
    made = [
        jwt.encode(payload | {"jti": str(each)}, key, headers={"kid": "one"}, algorithm="RS256").encode()
        for each in range(64)
    ]
    seen = Tokens(issuers, SystemClock())
    seen.verify(made[0])

    def first() -> None:
        fresh = Tokens(issuers, SystemClock())
        for token in made:
            fresh.verify(token)

    return least(lambda: seen.verify(made[0]), 20_000), least(first, 3) / len(made)


async def _nobody(url: str) -> bytes:
    raise AssertionError(url)


def main() -> int:
    """Measure and print; the exit status says whether the aims are reached."""
    parser = argparse.ArgumentParser(prog="python -m bench.identity_cost", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    repeated, first = token_checks()
    found = {"key": key_check(), "repeated token": repeated, "first token": first}
    if options.json:
        print(json.dumps({name: round(value, 2) for name, value in found.items()}))
    else:
        for name, value in found.items():
            print(f"{name:<16} {value:7.2f} µs   aim: at most {AIMS[name]:g}")
    return 0 if all(value <= AIMS[name] for name, value in found.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
