"""The development CA and the server certificate it signs: one pair per installation, in `tls/` of the data directory.

    ca.pem  ca.key           the CA, good for ten years, and only for the names it was made for
    server.pem  server.key   what the server shows, good for 825 days

Run as a program (`python -m forehearth.server.authority`, the folder and the names as JSON on standard input), because
`cryptography` takes longer to import than everything else that the parent process needs.
"""

import contextlib
import datetime as dt
import fcntl
import ipaddress
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from forehearth.server.data_directory import write_private

ALWAYS = ("localhost", "127.0.0.1", "::1")
"""The names of every development certificate."""

CA_LIFE = dt.timedelta(days=3650)
CA_RENEWAL = dt.timedelta(days=90)
"""A CA with less life than this left is made anew."""

LEAF_LIFE = dt.timedelta(days=825)
LEAF_RENEWAL = dt.timedelta(days=30)
NO_MARGIN = dt.timedelta()

HOST_NAME = re.compile(
    r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*"
)

SKEW = dt.timedelta(hours=1)
"""Certificates begin this long ago, for machines whose clocks are behind."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the program is asked for: a valid CA and certificate for `names` in `folder`.

    Without `names` a CA that is there is left as it is, whatever names it was made for.
    """

    folder: str
    names: tuple[str, ...] | None = None


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def ensure(folder: Path, names: Sequence[str] | None, now: dt.datetime) -> None:
    """Make what is missing, expiring, broken or for other names; leave the rest alone.

    Safe against another process that does the same. Raises `ValueError` for a name that is neither a host name nor an
    address, `OSError` when the folder cannot be written.
    """
    with _alone_in(folder):
        authority = _load(folder / "ca.pem", folder / "ca.key")
        if names is None and authority and not _expires(authority, now, NO_MARGIN):
            return
        wanted = tuple(dict.fromkeys((*ALWAYS, *(names or ()))))
        subtrees = tuple(dict.fromkeys(_general_name(name, constraint=True) for name in wanted))
        if authority is None or _expires(authority, now, CA_RENEWAL) or _constraints(authority) != set(subtrees):
            authority = make_authority(subtrees, now)
            _save(authority, folder / "ca.pem", folder / "ca.key")
        leaf = _load(folder / "server.pem", folder / "server.key")
        alternatives = [_general_name(name, constraint=False) for name in wanted]
        if leaf is None or _expires(leaf, now, LEAF_RENEWAL) or not _signed(leaf, authority, alternatives):
            leaf = make_leaf(authority, alternatives, now)
            _save(leaf, folder / "server.pem", folder / "server.key")


def make_authority(subtrees: Sequence[x509.GeneralName], now: dt.datetime) -> Pair:
    """A CA that can vouch for `subtrees` and for nothing else: the constraint is critical."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Forehearth"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Forehearth development CA {os.urandom(4).hex()}"),
        ]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _begin(name, name, key, (now, now + CA_LIFE))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=subtrees, excluded_subtrees=None), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    return Pair(certificate=builder.sign(key, hashes.SHA256()), key=key)


def make_leaf(authority: Pair, alternatives: Sequence[x509.GeneralName], now: dt.datetime) -> Pair:
    """A server certificate for `alternatives`, signed by the CA, that never outlives it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Forehearth development server")])
    issuer = authority.certificate
    ends = min(now + LEAF_LIFE, issuer.not_valid_after_utc)
    issuer_identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _begin(subject, issuer.subject, key, (now, ends))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_identifier), critical=False
        )
    )
    return Pair(certificate=builder.sign(authority.key, hashes.SHA256()), key=key)


def _begin(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    life: tuple[dt.datetime, dt.datetime],
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(life[0] - SKEW)
        .not_valid_after(life[1])
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str, *, constraint: bool) -> x509.GeneralName:
    """The name as a certificate writes it; in a constraint an address is a network and a wildcard its domain."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        plain = name.removeprefix("*.") if constraint else name
        if not HOST_NAME.fullmatch(plain):
            raise ValueError(f"{name!r} is neither a host name in ASCII nor an address") from None
        return x509.DNSName(plain.lower())
    return x509.IPAddress(ipaddress.ip_network(address) if constraint else address)


def _constraints(authority: Pair) -> set[x509.GeneralName]:
    try:
        found = authority.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return set()
    return set(found.permitted_subtrees or ())


def _signed(leaf: Pair, authority: Pair, alternatives: Sequence[x509.GeneralName]) -> bool:
    """Whether this CA signed the certificate, for exactly these names."""
    try:
        leaf.certificate.verify_directly_issued_by(authority.certificate)
        found = leaf.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return set(found) == set(alternatives)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process makes certificates in this folder, and keep others waiting."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _expires(pair: Pair, now: dt.datetime, margin: dt.timedelta) -> bool:
    return not pair.certificate.not_valid_before_utc <= now < pair.certificate.not_valid_after_utc - margin


def _load(certificate: Path, key: Path) -> Pair | None:
    """The pair on disk; None when it is missing, unreadable as PEM, or does not belong together."""
    try:
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.public_key() != loaded.public_key():
        return None
    return Pair(certificate=loaded, key=private)


def _save(pair: Pair, certificate: Path, key: Path) -> None:
    pem = pair.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(key, pem)
    write_private(certificate, pair.certificate.public_bytes(serialization.Encoding.PEM))


def main() -> int:
    """Do what standard input orders. 0 when done, 1 with one line on standard error when not."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    try:
        ensure(Path(order.folder), order.names, dt.datetime.now(dt.UTC))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
