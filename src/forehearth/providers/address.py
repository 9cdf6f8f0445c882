"""From a host's configured URL and connection settings to where and how it is dialled."""

from urllib.parse import urlsplit, urlunsplit

from forehearth.core.errors import Misconfigured
from forehearth.core.settings import OutboundSettings
from forehearth.core.upstream import Origin, Timeouts, TlsFiles

_DEFAULT_PORTS = {"http": 80, "https": 443}


def split(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and path prefix (no slash at its end) of a base URL. Raises `Misconfigured`."""
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise Misconfigured(f"{url!r} is no address of a host: write http://host[:port]/path or https://…")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise Misconfigured(f"The address of {parts.hostname} may have no user, query or fragment.")
    try:
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except ValueError as error:
        raise Misconfigured(f"The address of {parts.hostname} has no usable port: {error}.") from error
    return parts.scheme, parts.hostname, port, parts.path.rstrip("/")


def origin(url: str, connection: OutboundSettings) -> tuple[Origin, str]:
    """Where to dial for `url`, and the path that its operations hang under."""
    scheme, host, port, path = split(url)
    files = TlsFiles(
        ca_bundle=connection.ca_bundle, certificate=connection.client_certificate, key=connection.client_key
    )
    return Origin(
        scheme=scheme, host=host, port=port, tls=files, proxy=connection.proxy, connections=connection.connections
    ), path


def of_document(url: str) -> tuple[str, str]:
    """The address of the host that has a document, and what it is asked for: the path, and the query if there is one.

    Azure AD B2C, for one, tells its key sets apart by their queries alone.
    """
    parts = urlsplit(url)
    base = urlunsplit((parts.scheme, parts.netloc, "", "", parts.fragment))
    return base, urlunsplit(("", "", parts.path or "/", parts.query, ""))


def timeouts(connection: OutboundSettings) -> Timeouts:
    """The phases' limits, as the configuration has them."""
    return Timeouts(
        connect=connection.connect_seconds,
        first_byte=connection.first_byte_seconds,
        idle=connection.idle_seconds,
        total=connection.total_seconds,
    )
