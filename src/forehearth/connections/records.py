"""What is kept of a connection: all but its credentials as it is, those sealed."""

from typing import Final, Literal

import msgspec

from forehearth.core.connection_settings import ConnectionSettings, ConnectionType
from forehearth.core.document import Document
from forehearth.core.place import Place
from forehearth.core.sealed import Sealed

KIND: Final = "connection"
"""The kind of document that a record is kept as; its id is the connection's name."""
CredentialsType = Literal["ApiKey", "SAS", "CustomKeys", "AAD", "None"]


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """A connection as everybody may see it who may see it at all."""

    name: str
    type: ConnectionType
    target: str
    default: bool
    credentials: CredentialsType
    metadata: dict[str, str]
    stored: bool
    """Whether it was made while the server ran, and does not stand in the configuration."""
    created: float = 0.0
    """Unix seconds; 0 for those of the configuration."""
    updated: float = 0.0


class ConnectionRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of its document. A member that is not known here makes it unreadable: it could be a bound."""

    type: ConnectionType
    target: str
    default: bool
    credentials: CredentialsType
    metadata: dict[str, str]
    sealed: Sealed | None
    """None where there is nothing secret."""

    def context(self, place: Place, name: str) -> bytes:
        """What the secret belongs to. Whoever points the record elsewhere has one that does not open."""
        said = (KIND, place.resource, place.project, name, self.type, self.target, self.credentials)
        return msgspec.json.encode(said)


_decoder: Final = msgspec.json.Decoder(ConnectionRecord)


def record_of(document: Document) -> ConnectionRecord:
    """What its document has. Raises `msgspec.ValidationError` for what this server cannot have written."""
    return _decoder.decode(document.body)


def stored(document: Document) -> Connection:
    """The connection of a document."""
    record = record_of(document)
    return Connection(
        name=document.id,
        type=record.type,
        target=record.target,
        default=record.default,
        credentials=record.credentials,
        metadata=record.metadata,
        stored=True,
        created=document.created,
        updated=document.updated,
    )


def configured(name: str, settings: ConnectionSettings) -> Connection:
    """One of the configuration."""
    return Connection(
        name=name,
        type=settings.type,
        target=settings.target,
        default=settings.default,
        credentials=credentials_type(settings),
        metadata=settings.metadata,
        stored=False,
    )


def credentials_type(settings: ConnectionSettings) -> CredentialsType:
    """Which kind of credentials it has, in the service's words."""
    kinds: dict[CredentialsType, bool] = {
        "ApiKey": settings.key is not None,
        "SAS": settings.sas is not None,
        "CustomKeys": bool(settings.keys),
        "AAD": settings.entra,
    }
    return next((kind for kind, given in kinds.items() if given), "None")


def revealed(settings: ConnectionSettings) -> dict[str, str]:
    """The credentials themselves, by the names that clients find them under."""
    shown = {name: secret.reveal() for name, secret in settings.keys.items()}
    if settings.key is not None:
        shown["key"] = settings.key.reveal()
    if settings.sas is not None:
        shown["SAS"] = settings.sas.reveal()
    return shown
