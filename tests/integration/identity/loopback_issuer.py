"""An issuer of tokens whose key set is on the loopback address, for tests of servers that trust it."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

AUDIENCE = "https://ai.azure.com"
KEY_ID = "key-of-the-test"
HOUR = 3_600


class LoopbackIssuer:
    """Signs tokens. `url` is its `iss`, and its key set is below it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = new_key()
        self.fetched = 0
        """How often its key set was asked for."""

    @property
    def keys_url(self) -> str:
        """Where the key set is."""
        return f"{self.url}/keys"

    def key_set(self) -> bytes:
        """The public key, as issuers publish it."""
        public = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return json.dumps({"keys": [{**public, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]}).encode()

    def token(self, subject: str, *, signed_by: RSAPrivateKey | None = None, **claims: Any) -> str:
        """A user's token that is good for an hour, but for what `claims` say otherwise."""
        now = int(time.time())
        payload = {"iss": self.url, "aud": AUDIENCE, "oid": subject, "sub": subject, "scp": "user_impersonation"}
        payload |= {"iat": now - 1, "nbf": now - 1, "exp": now + HOUR} | claims
        payload = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(payload, signed_by or self.key, algorithm="RS256", headers={"kid": KEY_ID})


def new_key() -> RSAPrivateKey:
    """A key that nobody else has."""
    return generate_private_key(public_exponent=65_537, key_size=2_048)


@contextmanager
def loopback_issuer() -> Iterator[LoopbackIssuer]:
    """An issuer whose key set is served until the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = f"{issuer.url}{self.path}" == issuer.keys_url
            issuer.fetched += found
            body = issuer.key_set() if found else b""
            self.send_response(200 if found else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer = LoopbackIssuer(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
