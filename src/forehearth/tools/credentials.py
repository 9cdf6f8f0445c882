"""A project's connection as the credentials of a tool: sent to where the connection leads, and nowhere else.

An API's document says under which name it wants them (`securitySchemes`). An MCP server gets the connection's `keys` as
headers, or its `key` as a bearer token. An agent may name any server beside a connection, so that what the operator
wrote as the connection's target decides: another origin is refused before anything is sent.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from forehearth.core.connection_settings import ConnectionSettings
from forehearth.core.errors import AddressRefused, InvalidField
from forehearth.core.secret import Secret
from forehearth.core.web_address import read

Connections = Mapping[str, ConnectionSettings]
"""Those of one project, by name."""
Origin = tuple[str, str, int]
_AUTHORIZATION: Final = "authorization"


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What opens a tool's server."""

    origin: Origin
    """Where they are good for: scheme, host and port."""
    headers: Mapping[str, Secret] = {}
    query: Mapping[str, Secret] = {}


def of_server(given: str, connections: Connections, at: str) -> Credentials:
    """A connection's for an MCP server; `given` is its name, or its id, which stands at the path `at`.

    Raises `InvalidField`.
    """
    connection = _named(given, connections, at)
    headers = dict(connection.keys)
    if connection.key is not None:
        headers[_AUTHORIZATION] = Secret(f"Bearer {connection.key.reveal()}")
    return _checked(Credentials(origin=_origin(connection, at), headers=headers), at)


def of_api(given: str, document: Mapping[str, Any], connections: Connections, at: str) -> Credentials:
    """The same for an API, as its document wants them. Raises `InvalidField`."""
    connection = _named(given, connections, at)
    headers: dict[str, Secret] = {}
    query: dict[str, Secret] = {}
    for scheme in _schemes(document):
        kind, name, place = scheme.get("type"), scheme.get("name"), scheme.get("in")
        if kind == "http" and str(scheme.get("scheme")).lower() == "bearer":
            token = _key(connection, "Authorization")
            if token is not None:
                headers[_AUTHORIZATION] = Secret(f"Bearer {token.reveal().removeprefix('Bearer ')}")
        elif kind == "apiKey" and isinstance(name, str) and place in ("header", "query"):
            value = _key(connection, name)
            if value is not None:
                (headers if place == "header" else query)[name.lower() if place == "header" else name] = value
    return _checked(Credentials(origin=_origin(connection, at), headers=headers, query=query), at)


def require_origin(url: str, credentials: Credentials, at: str) -> None:
    """Raises `InvalidField` for a server that is not where the connection leads, and `AddressRefused`."""
    if read(url).origin != credentials.origin:
        message = f"'{at}' is for another server than the connection is: its credentials are sent to its target alone."
        raise InvalidField(message, param=at)


def _named(given: str, connections: Connections, at: str) -> ConnectionSettings:
    found = connections.get(given.rstrip("/").rpartition("/")[2])
    if found is None:
        raise InvalidField(f"There is no connection '{given[:256]}' in this project.", param=at)
    return found


def _origin(connection: ConnectionSettings, at: str) -> Origin:
    try:
        return read(connection.target).origin
    except AddressRefused:
        raise InvalidField("The connection's target is no address of a server.", param=at) from None


def _schemes(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    components = document.get("components")
    schemes = components.get("securitySchemes") if isinstance(components, Mapping) else None
    for scheme in schemes.values() if isinstance(schemes, Mapping) else ():
        if isinstance(scheme, Mapping):
            yield scheme


def _key(connection: ConnectionSettings, name: str) -> Secret | None:
    """The connection's credential of that name; its only one has none."""
    named = next((secret for each, secret in connection.keys.items() if each.lower() == name.lower()), None)
    return named or connection.key


def _checked(credentials: Credentials, at: str) -> Credentials:
    if not credentials.headers and not credentials.query:
        message = (
            "The connection has no credential for this server: it needs a 'key', or 'keys' by the names that the "
            "server wants them under."
        )
        raise InvalidField(message, param=at)
    return credentials
