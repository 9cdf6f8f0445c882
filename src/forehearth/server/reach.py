"""What families of endpoints use besides the store: bytes, secrets of callers, and the tools of strangers."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import msgspec

from forehearth.connections.service import Connections
from forehearth.core.connection_settings import ConnectionSettings
from forehearth.core.egress import EgressRequest
from forehearth.core.errors import AddressRefused, NotFound
from forehearth.core.place import Place
from forehearth.core.secret import Secret
from forehearth.core.upstream import Response
from forehearth.ports.blobs import Blobs
from forehearth.ports.egress import Egress
from forehearth.ports.sealer import Sealer
from forehearth.ports.spool import Spool
from forehearth.ports.tools import ToolSource
from forehearth.responses.loops import SourcesAt
from forehearth.responses.toolbox import Sources
from forehearth.server.sealing import sealer_of_callers
from forehearth.tools.asked import source_of


async def nowhere(place: Place, connections: Iterable[str]) -> Sources:
    """No tools, where nobody is asked anything."""
    del connections

    def none(tool: Mapping[str, Any], where: str) -> ToolSource:
        raise NotFound(f"There is no tool at '{place.project}' for {where}, a '{tool.get('type')}'.")

    return none


class Nowhere:
    """An `Egress` that asks no address, where nobody is asked anything."""

    async def send(self, request: EgressRequest) -> Response:
        """See `ports.egress`."""
        raise AddressRefused("No address is asked here.", reason="nowhere", param=request.param)


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    blobs: Blobs
    spool: Spool
    """Where forms are put by while their calls last."""
    egress: Egress = Nowhere()
    """Asks addresses that callers name."""
    sealer: Sealer
    """What seals what callers hand over."""
    sources_at: SourcesAt = nowhere
    """Where the tools come from of what is asked there."""


def reached(connections: Connections, pepper: bytes, *, blobs: Blobs, spool: Spool, egress: Egress) -> Reach:
    """What a worker has."""
    sources_at = Tools(connections, egress).sources_at
    return Reach(blobs=blobs, spool=spool, egress=egress, sealer=sealer_of_callers(pepper), sources_at=sources_at)


class Tools:
    """Makes sources of tools, which ask by `egress`, with the credentials of `connections`."""

    def __init__(self, connections: Connections, egress: Egress) -> None:
        self._connections = connections
        self._egress = egress

    async def sources_at(self, place: Place, connections: Iterable[str]) -> Sources:
        """For what is asked at a place, and names these connections of its project. Raises `Broken`."""
        project = Place(resource=place.resource, project=place.project)
        found = {name: its for name in connections if (its := await self._opened(project, name)) is not None}
        return partial(source_of, egress=self._egress, connections=found)

    async def _opened(self, project: Place, name: str) -> ConnectionSettings | None:
        try:
            its, secrets = await self._connections.reveal(project, name)
        except NotFound:
            return None
        named = {each: Secret(value) for each, value in secrets.items()}
        key = named.pop("key", None) if its.credentials == "ApiKey" else None
        keys = named if its.credentials == "CustomKeys" else {}
        return ConnectionSettings(type=its.type, target=its.target, key=key, keys=keys)
