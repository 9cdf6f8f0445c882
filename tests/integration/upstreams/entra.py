"""Loopback stand-ins of what gives out tokens: Microsoft Entra ID over TLS, and a machine's endpoint for its own."""

import datetime as dt
import json
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from forehearth.testing.certificates import Leaf
from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer, Upstream

TENANT = "11111111-2222-3333-4444-555555555555"
SECRET = "the-client-secret-of-our-application"
SERVICE_ACCOUNT = "the-service-account-token-of-our-pod"
IDENTITY_HEADER = "the-header-that-app-service-gave-us"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Tokens:
    """What was issued: opaque words, to whom, for what, and until when."""

    def __init__(self) -> None:
        self.life = 3_600
        self.holders: dict[str, str] = {}
        self.ends: dict[str, float] = {}

    def issue(self, holder: str, what_for: str) -> dict[str, object]:
        resource = what_for.removeprefix("https://").replace("/", "-")
        token = f"opaque.{len(self.holders)}.token-of-{holder}.for.{resource}"
        self.holders[token] = holder
        self.ends[token] = time.time() + self.life
        return {"token_type": "Bearer", "access_token": token, "expires_in": self.life, "resource": what_for}


class Entra(Upstream):
    """The authority. It knows one application's secret, one certificate and one pod, and says no to all others."""

    def __init__(self, leaf: Leaf, certificate: Path | None = None) -> None:
        super().__init__(respond=self._answer, tls=leaf.server_context())
        self.tokens = Tokens()
        self.fault = ""
        """With one, every request for a token is refused, and the answer shows what was sent."""
        self._certificate = certificate

    def _answer(self, seen: Seen) -> Answer:
        if seen.target.startswith(f"/{TENANT}/v2.0/.well-known/openid-configuration".encode()):
            base = f"{self.url}/{TENANT}/oauth2/v2.0"
            return said(200, {"issuer": f"{self.url}/{TENANT}/v2.0", "authorization_endpoint": f"{base}/authorize",
                              "token_endpoint": f"{base}/token"})  # fmt: skip
        if seen.target != f"/{TENANT}/oauth2/v2.0/token".encode():
            return said(404, {"error": "not_found"})
        form = {name: values[0] for name, values in parse_qs(seen.body.decode()).items()}
        holder = self._holder(form)
        if self.fault or holder is None:
            words = f"{self.fault or 'AADSTS7000215'}: Invalid client secret provided: {form}. Trace ID: 0-1-2"
            return said(401, {"error": "invalid_client", "error_description": words})
        assert form["grant_type"] == "client_credentials"
        return said(200, self.tokens.issue(holder, form["scope"].split()[0]))

    def _holder(self, form: dict[str, str]) -> str | None:
        assertion = form.get("client_assertion")
        if assertion is None:
            return form["client_id"] if form.get("client_secret") == SECRET else None
        assert form["client_assertion_type"] == ASSERTION
        if assertion == SERVICE_ACCOUNT:
            return form["client_id"]
        assert self._certificate is not None
        key = x509.load_pem_x509_certificate(self._certificate.read_bytes()).public_key()
        claims = jwt.decode(
            assertion, key, algorithms=["RS256", "PS256"], audience=f"{self.url}/{TENANT}/oauth2/v2.0/token"
        )
        assert claims["iss"] == claims["sub"] == form["client_id"]
        return form["client_id"]


class Machine(Upstream):
    """App Service's identity endpoint at `/msi/token`, and a virtual machine's."""

    def __init__(self) -> None:
        super().__init__(respond=self._answer)
        self.tokens = Tokens()

    def _answer(self, seen: Seen) -> Answer:
        parts = urlsplit(seen.target.decode())
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        holder = f"machine-{asked.get('client_id', 'itself')}"
        if parts.path == "/msi/token" and seen.header(b"x-identity-header") == IDENTITY_HEADER.encode():
            given = self.tokens.issue(holder, asked["resource"])
            return said(200, given | {"expires_on": str(int(time.time()) + self.tokens.life)})
        if parts.path == "/metadata/identity/oauth2/token" and seen.header(b"metadata") == b"true":
            return said(200, self.tokens.issue(f"virtual-{holder}", asked["resource"]))
        return said(400, {"error": "invalid_request"})


def said(status: int, body: dict[str, object]) -> Answer:
    return Answer(status=status, body=json.dumps(body).encode())


def certificate_of_an_application(folder: Path) -> Path:
    """A certificate and its RSA key, in one file."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    now = dt.datetime.now(dt.UTC)
    certificate = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    certificate = certificate.serial_number(1).not_valid_before(now - dt.timedelta(days=1))
    signed = certificate.not_valid_after(now + dt.timedelta(days=1)).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"open")
    )
    path = folder / "app.pem"
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path
