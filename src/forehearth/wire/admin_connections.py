"""Connections as the admin API reads and shows them. Credentials go in here, and never come out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Self

import msgspec

from forehearth.admin.office import Office
from forehearth.connections.records import Connection
from forehearth.core.connection_settings import ConnectionSettings, ConnectionType
from forehearth.core.errors import InvalidField
from forehearth.core.exchange import Reply
from forehearth.core.place import Place
from forehearth.core.secret import Secret
from forehearth.core.settings_types import Name, Text, Unfit
from forehearth.wire import admin_bodies as bodies
from forehearth.wire.admin_asked import CREATED, OK, Asked, Handler, admin_endpoint, json_reply, no_content

PATH: Final = "/admin/connections"
ENDPOINTS: Final = (
    admin_endpoint("GET", PATH, "connections.list"),
    admin_endpoint("POST", PATH, "connections.create"),
    admin_endpoint("GET", f"{PATH}/{{id}}", "connections.get"),
    admin_endpoint("PUT", f"{PATH}/{{id}}", "connections.replace"),
    admin_endpoint("DELETE", f"{PATH}/{{id}}", "connections.delete"),
    admin_endpoint("POST", f"{PATH}/reseal", "connections.reseal"),
)
_OF_A_PROJECT: Final = frozenset({"resource", "project"})
PARAMETERS: Final[Mapping[str, frozenset[str]]] = {
    f"connections.{name}": _OF_A_PROJECT for name in ("list", "create", "get", "replace", "delete")
}
_DEFAULT: Final = "default"
_Credential = Annotated[str, msgspec.Meta(min_length=1, max_length=16_384)]


class ConnectionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What a connection is to be. At most one of `key`, `sas`, `keys` and `entra` is given."""

    type: ConnectionType
    target: Text
    default: bool = False
    key: _Credential | None = None
    sas: _Credential | None = None
    keys: Annotated[dict[Text, _Credential], msgspec.Meta(max_length=50)] = {}
    entra: bool = False
    metadata: Annotated[dict[Text, str], msgspec.Meta(max_length=50)] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    def settings(self) -> ConnectionSettings:
        """The same, its credentials as secrets. Raises `InvalidField` where they contradict one another."""
        try:
            return ConnectionSettings(
                type=self.type,
                target=self.target,
                default=self.default,
                key=None if self.key is None else Secret(self.key),
                sas=None if self.sas is None else Secret(self.sas),
                keys={name: Secret(each) for name, each in self.keys.items()},
                entra=self.entra,
                metadata=self.metadata,
            )
        except Unfit as error:
            raise InvalidField(f"Invalid body: {error.message}.", param=error.member) from None


class NewConnection(ConnectionBody, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The body that asks for a connection."""

    name: Name

    def __repr__(self) -> str:
        return super().__repr__()


class ConnectionView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A connection, as it is shown. `source` is `admin`, or `configuration`, where it cannot be changed here."""

    name: str
    project: str
    type: str
    target: str
    default: bool
    credentials: str
    metadata: dict[str, str]
    source: str
    created: datetime | None
    updated: datetime | None

    @classmethod
    def of(cls, project: str, connection: Connection) -> Self:
        """What may be seen of it."""
        return cls(
            name=connection.name,
            project=project,
            type=connection.type,
            target=connection.target,
            default=connection.default,
            credentials=connection.credentials,
            metadata=connection.metadata,
            source="admin" if connection.stored else "configuration",
            created=bodies.moment(round(connection.created, 6)) if connection.stored else None,
            updated=bodies.moment(round(connection.updated, 6)) if connection.stored else None,
        )


class ConnectionsPage(msgspec.Struct, frozen=True, kw_only=True):
    """All connections of a project."""

    value: tuple[ConnectionView, ...]


class ResealedView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many connections of the resource were encrypted anew, and how many cannot be read.

    `newKey` is false where the keys are given by the configuration: then the first of them is used.
    """

    new_key: bool
    resealed: int
    unreadable: int


class ConnectionPages:
    """The endpoints of connections."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self.handlers: Mapping[str, Handler] = {
            "connections.list": self._list,
            "connections.create": self._create,
            "connections.get": self._get,
            "connections.replace": self._replace,
            "connections.delete": self._delete,
            "connections.reseal": self._reseal,
        }

    async def _list(self, asked: Asked) -> Reply:
        place = self._place(asked)
        found = await self._office.connections.all(place)
        return json_reply(OK, ConnectionsPage(value=tuple(ConnectionView.of(place.project, each) for each in found)))

    async def _create(self, asked: Asked) -> Reply:
        place = self._place(asked)
        wanted = bodies.read(await asked.body(), NewConnection)
        asked.note.target = wanted.name
        made = await self._office.connections.create(place, wanted.name, wanted.settings())
        asked.note.detail = _in_words(made)
        location = f"{PATH}/{wanted.name}?project={place.project}"
        return json_reply(CREATED, ConnectionView.of(place.project, made), (b"location", location.encode()))

    async def _get(self, asked: Asked) -> Reply:
        place = self._place(asked)
        return json_reply(OK, ConnectionView.of(place.project, await self._office.connections.get(place, asked.id)))

    async def _replace(self, asked: Asked) -> Reply:
        place = self._place(asked)
        wanted = bodies.read(await asked.body(), ConnectionBody)
        made = await self._office.connections.replace(place, asked.id, wanted.settings())
        asked.note.detail = _in_words(made)
        return json_reply(OK, ConnectionView.of(place.project, made))

    async def _delete(self, asked: Asked) -> Reply:
        gone = await self._office.connections.delete(self._place(asked), asked.id)
        asked.note.detail = _in_words(gone)
        return no_content()

    async def _reseal(self, asked: Asked) -> Reply:
        done = await self._office.connections.reseal(asked.resource)
        new = "a new key" if done.new_key else "the first key of the configuration"
        asked.note.detail = f"{done.resealed} with {new}, {done.unreadable} unreadable"
        return json_reply(OK, ResealedView(new_key=done.new_key, resealed=done.resealed, unreadable=done.unreadable))

    def _place(self, asked: Asked) -> Place:
        """The project that is meant. Raises `InvalidField` where there is none of that name."""
        project = asked.query.get("project", _DEFAULT)
        if project not in self._office.tenants[asked.resource].projects:
            raise InvalidField(f"There is no project '{project[:100]}'.", param="project")
        asked.note.project = project
        return Place(resource=asked.resource, project=project)


def _in_words(connection: Connection) -> str:
    """For the audit log: what it is, and nothing of its credentials."""
    default = ", the default one" if connection.default else ""
    return f"{connection.type} at {connection.target}, {connection.credentials}{default}"
