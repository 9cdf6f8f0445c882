"""Connections below a project: read, and read with their credentials.

Source of shapes and filters: the operations of `azure-ai-projects` 2.10.0. Credentials are shown by one endpoint alone,
which has a data action of its own, and only once that is written in the audit log.
"""

from collections.abc import Mapping, Sequence

from forehearth.connections.records import Connection
from forehearth.connections.service import Connections
from forehearth.core.disclosure import Disclosure
from forehearth.core.errors import InvalidField
from forehearth.core.exchange import Reply
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.ports.disclosures import Disclosures
from forehearth.ports.surface import Entry
from forehearth.wire import paths
from forehearth.wire.envelope import as_json
from forehearth.wire.table import Row

WITH_CREDENTIALS = "connections_get_with_credentials"
_TRUTH = {None: None, "true": True, "false": False}


def rows(connections: Connections, disclosures: Disclosures) -> Sequence[Row]:
    """The endpoints. `disclosures` is told before credentials are shown."""
    served = _Served(connections, disclosures)
    one, read = "/connections/{name}", Permission.READ_CONNECTIONS
    return (
        Row(method="GET", form="/connections", permission=read, name="connections_list", act=served.list),
        Row(method="GET", form=one, permission=read, name="connections_get", act=served.get),
        Row(
            method="POST",
            form=f"{one}/getConnectionWithCredentials",
            permission=Permission.LIST_CONNECTION_SECRETS,
            name=WITH_CREDENTIALS,
            act=served.get_with_credentials,
            media=b"",
        ),
    )


class _Served:
    """What is done at each of them."""

    def __init__(self, connections: Connections, disclosures: Disclosures) -> None:
        self._connections = connections
        self._disclosures = disclosures

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
                    _shown(entry.place, each)
                    for each in await self._connections.all(entry.place)
                    if kind in (None, each.type) and default in (None, each.default)
                ]
            }
        )

    async def get(self, entry: Entry, _: bytes) -> Reply:
        """One of them: of its credentials, what kind they are."""
        return as_json(_shown(entry.place, await self._connections.get(entry.place, entry.asked.ids[0])))

    async def get_with_credentials(self, entry: Entry, _: bytes) -> Reply:
        """One of them, its credentials included."""
        (name,) = entry.asked.ids
        found, credentials = await self._connections.reveal(entry.place, name)
        if credentials:
            await self._disclosures.note(
                Disclosure(
                    request_id=entry.trace.request_id,
                    place=entry.place,
                    operation=f"projects.{WITH_CREDENTIALS}",
                    principal=entry.principal,
                    target=name,
                    detail=f"{found.credentials} of {found.type} were shown",
                )
            )
        return as_json(_shown(entry.place, found, credentials))


def _shown(place: Place, connection: Connection, credentials: Mapping[str, str] | None = None) -> dict[str, object]:
    name = connection.name
    return {
        "name": name,
        "id": f"/resources/{place.resource}/projects/{place.project}/connections/{name}",
        "type": connection.type,
        "target": connection.target,
        "isDefault": connection.default,
        "credentials": {"type": connection.credentials} | dict(credentials or {}),
        "metadata": connection.metadata,
    }
