"""What TLS needs on disk: the server's certificate, given or made here, and what makes clients trust the latter."""

import ssl
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from forehearth.core.errors import Misconfigured
from forehearth.core.settings import TlsSettings
from forehearth.server.children import module_command
from forehearth.server.data_directory import DataDirectory, write_private

MARK = b"# Forehearth development CA: what follows was added by `forehearth tls trust`\n"
"""Where, in a bundle of ours, the system's certificates end."""

BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""By which a shell's programs are told whom to trust."""

USUAL_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/opt/homebrew/etc/ca-certificates/cert.pem",
)
"""Where systems keep their CAs, when Python does not know."""

MAKING_SECONDS = 30.0


class CertificateFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The certificate chain that the server shows, and its private key: paths of PEM files."""

    certificate: str
    key: str


def server_certificate(data: DataDirectory, tls: TlsSettings) -> CertificateFiles:
    """The certificate from the configuration, else the development one, made or renewed as needed. Blocks.

    Raises `Misconfigured` when only one of the two given files is named, or when none can be made.
    """
    if tls.certificate and tls.key:
        return CertificateFiles(certificate=tls.certificate, key=tls.key)
    if tls.certificate or tls.key:
        raise Misconfigured("server.tls names only one of `certificate` and `key`: a certificate needs both")
    _make(data, tls.names)
    refresh_bundle(data)
    return CertificateFiles(certificate=str(data.tls / "server.pem"), key=str(data.tls / "server.key"))


def server_context(files: CertificateFiles) -> ssl.SSLContext:
    """TLS 1.2 and newer, HTTP/1.1, with this certificate. Raises `Misconfigured` naming the file that is at fault."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    for path in (files.certificate, files.key):
        try:
            Path(path).open("rb").close()
        except OSError as error:
            raise Misconfigured(f"the TLS file {path} cannot be read: {error.strerror}") from error
    try:
        # An empty password, so that an encrypted key is an error and not a question on the terminal.
        context.load_cert_chain(files.certificate, files.key, password="")
    except ssl.SSLError as error:
        raise Misconfigured(
            f"{files.certificate} and {files.key} are not a certificate and its key in PEM ({error.reason})"
        ) from error
    return context


def authority(data: DataDirectory) -> Path:
    """The development CA's certificate, made when it is not there. Blocks."""
    _make(data, None)
    return data.tls / "ca.pem"


def bundle_path(data: DataDirectory) -> Path:
    """Where the bundle of the system's CAs and ours is kept."""
    return data.tls / "bundle.pem"


def write_bundle(data: DataDirectory, environ: Mapping[str, str]) -> Sequence[str]:
    """Write the bundle: the CAs that clients trust now, then ours. Returns the files that the former came from.

    Trusted now is what `BUNDLE_VARIABLES` name, else the system's bundle. Where they name this
    bundle, as in a shell that trusts us already, what it had before ours stays. Nothing found: only ours is in it.
    """
    target = bundle_path(data)
    named = [Path(environ[name]).absolute() for name in BUNDLE_VARIABLES if environ.get(name)]
    sources = [path for path in dict.fromkeys(named) if path != target and path.is_file()]
    if not sources and target in named and refresh_bundle(data):
        return [str(target)]
    sources = sources or _system_bundle()
    trusted = b"".join(path.read_bytes().rstrip(b"\n") + b"\n" for path in sources)
    write_private(target, trusted + MARK + (data.tls / "ca.pem").read_bytes())
    return [str(path) for path in sources]


def refresh_bundle(data: DataDirectory) -> bool:
    """Put the present CA into a bundle that was written before, for shells that point to it. False: there is none."""
    target = bundle_path(data)
    if not target.is_file():
        return False
    trusted = target.read_bytes().partition(MARK)[0]
    write_private(target, trusted + MARK + (data.tls / "ca.pem").read_bytes())
    return True


def _system_bundle() -> list[Path]:
    known = ssl.get_default_verify_paths()
    for name in (known.openssl_cafile, *USUAL_BUNDLES):
        if Path(name).is_file():
            return [Path(name)]
    folder = Path(known.openssl_capath)
    return sorted(folder.glob("*.pem")) if folder.is_dir() else []


def _make(data: DataDirectory, names: Sequence[str] | None) -> None:
    order = msgspec.json.encode({"folder": str(data.tls), "names": names})
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            module_command("forehearth.server.authority"),
            input=order,
            capture_output=True,
            timeout=MAKING_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Misconfigured(f"making the development certificate took more than {MAKING_SECONDS:g} s") from error
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise Misconfigured(f"the development certificate in {data.tls} cannot be made: {reason}")
