"""Connections below a project, as the configuration has them: read, and read with their credentials.

Source of shapes and filters: the operations of `azure-ai-projects` 2.10.0. Credentials are shown by one endpoint alone,
which has a data action of its own.
"""

from collections.abc import Mapping, Sequence

from forehearth.core.connection_settings import ConnectionSettings
from forehearth.core.errors import InvalidField, NotFound
from forehearth.core.exchange import Reply
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.ports.surface import Entry
from forehearth.wire import paths
from forehearth.wire.envelope import as_json
from forehearth.wire.table import Row

Connections = Mapping[Place, Mapping[str, ConnectionSettings]]
"""By project, and in it by name."""
_TRUTH = {None: None, "true": True, "false": False}


def rows(connections: Connections) -> Sequence[Row]:
    """The endpoints."""
    served = _Served(connections)
    one, read = "/connections/{name}", Permission.READ_CONNECTIONS
    return (
        Row(method="GET", form="/connections", permission=read, name="connections_list", act=served.list),
        Row(method="GET", form=one, permission=read, name="connections_get", act=served.get),
        Row(
            method="POST",
            form=f"{one}/getConnectionWithCredentials",
            permission=Permission.LIST_CONNECTION_SECRETS,
            name="connections_get_with_credentials",
            act=served.get_with_credentials,
            media=b"",
        ),
    )


class _Served:
    """What is done at each of them."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def list(self, entry: Entry, _: bytes) -> Reply:
        """All of the project's, or those of a type, or of a type the default one; by name, on one page."""
        kind = paths.parameter(entry.head, b"connectiontype")
        wanted = paths.parameter(entry.head, b"defaultconnection")
        if wanted is not None and wanted.lower() not in _TRUTH:
            raise InvalidField("'defaultConnection' is true or false.", param="defaultConnection")
        default = _TRUTH[wanted and wanted.lower()]
        return as_json(
            {
                "value": [
                    _connection(entry.place, name, each, _kind(each))
                    for name, each in sorted(self._of(entry.place).items())
                    if kind in (None, each.type) and default in (None, each.default)
                ]
            }
        )

    async def get(self, entry: Entry, _: bytes) -> Reply:
        """One of them: of its credentials, what kind they are."""
        name, found = self._named(entry)
        return as_json(_connection(entry.place, name, found, _kind(found)))

    async def get_with_credentials(self, entry: Entry, _: bytes) -> Reply:
        """One of them, its credentials included."""
        name, found = self._named(entry)
        return as_json(_connection(entry.place, name, found, _kind(found) | _revealed(found)))

    def _of(self, place: Place) -> Mapping[str, ConnectionSettings]:
        return self._connections.get(place, {})

    def _named(self, entry: Entry) -> tuple[str, ConnectionSettings]:
        name = entry.asked.ids[0]
        found = self._of(entry.place).get(name)
        if found is None:
            raise NotFound(f"There is no connection '{name}'.")
        return name, found


def _connection(
    place: Place, name: str, connection: ConnectionSettings, credentials: Mapping[str, str]
) -> dict[str, object]:
    return {
        "name": name,
        "id": f"/resources/{place.resource}/projects/{place.project}/connections/{name}",
        "type": connection.type,
        "target": connection.target,
        "isDefault": connection.default,
        "credentials": credentials,
        "metadata": connection.metadata,
    }


def _kind(connection: ConnectionSettings) -> dict[str, str]:
    kinds = {
        "ApiKey": connection.key is not None,
        "SAS": connection.sas is not None,
        "CustomKeys": bool(connection.keys),
        "AAD": connection.entra,
    }
    return {"type": next((kind for kind, given in kinds.items() if given), "None")}


def _revealed(connection: ConnectionSettings) -> dict[str, str]:
    """The credentials themselves: the one place that shows them."""
    shown = {name: secret.reveal() for name, secret in connection.keys.items()}
    if connection.key is not None:
        shown["key"] = connection.key.reveal()
    if connection.sas is not None:
        shown["SAS"] = connection.sas.reveal()
    return shown
