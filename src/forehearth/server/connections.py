"""Puts the connections of all projects together: those of the configuration, and those that are kept in the store."""

from typing import Protocol

from forehearth.connections.service import Connections
from forehearth.core.clock import Clock
from forehearth.core.place import Place
from forehearth.core.settings import Settings
from forehearth.ports.documents import DocumentStore
from forehearth.ports.sealer import Sealer
from forehearth.server.tenants import all_resources


class Kept(Protocol):
    """What they are kept in."""

    @property
    def documents(self) -> DocumentStore:
        """Themselves."""
        ...

    @property
    def sealer(self) -> Sealer:
        """What encrypts their credentials."""
        ...


def made_connections(settings: Settings, stores: Kept, clock: Clock) -> Connections:
    """All of them."""
    configured = {
        Place(resource=name, project=project): its.connections
        for name, resource in all_resources(settings).items()
        for project, its in resource.projects.items()
    }
    return Connections(stores.documents, configured, stores.sealer, clock)
