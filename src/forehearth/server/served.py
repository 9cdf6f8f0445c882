"""Every endpoint that the server has, by the surface that answers it: what the tables say, without a server."""

import secrets
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import msgspec

from forehearth.connections.sealing import KEY_BYTES, AeadSealer
from forehearth.connections.service import Connections
from forehearth.core.call import Call
from forehearth.core.clock import SystemClock
from forehearth.core.disclosure import Disclosure
from forehearth.core.endpoint import Endpoint
from forehearth.core.exchange import Reply
from forehearth.routing.directory import Directory
from forehearth.server import app
from forehearth.server.encryption_keys import GivenKeys
from forehearth.server.families import families
from forehearth.server.reach import Reach
from forehearth.server.working import Workshop
from forehearth.stores.memory import MemoryDocuments
from forehearth.stores.memory_blobs import MemoryBlobs
from forehearth.stores.memory_jobs import MemoryJobs
from forehearth.stores.memory_spool import MemorySpool
from forehearth.wire import admin_table, descriptions
from forehearth.wire.connections import rows as connection_rows
from forehearth.wire.surfaces import surfaces

ADMIN = "admin"
SERVER = "server"
"""What health, metrics and descriptions are filed under."""


class _Stores(msgspec.Struct, frozen=True, kw_only=True):
    documents: MemoryDocuments
    jobs: MemoryJobs


@cache
def endpoints() -> Mapping[str, tuple[Endpoint, ...]]:
    """By surface: the tables are the same for every resource and configuration, so an empty one is asked."""
    clock = SystemClock()
    stores = _Stores(documents=MemoryDocuments(), jobs=MemoryJobs(clock))
    sealer = AeadSealer(GivenKeys([secrets.token_bytes(KEY_BYTES)]), secrets.token_bytes)
    connections = connection_rows(Connections(stores.documents, {}, sealer, clock), _Nobody())
    directory = Directory({}, {}, created=0)
    made = families(
        stores,
        clock,
        connections,
        Workshop(),
        reach=Reach(blobs=MemoryBlobs(), spool=MemorySpool(), sealer=sealer),
        upload_bytes=0,
    )("", _no_model, directory)
    tables = surfaces(directory, families=made)
    found = {surface.name: tuple(surface.endpoints) for _, surface in tables}
    return MappingProxyType(
        {**found, ADMIN: tuple(admin_table.ENDPOINTS), SERVER: (*app.ENDPOINTS, *descriptions.ENDPOINTS)}
    )


class _Nobody:
    async def note(self, disclosure: Disclosure) -> None:
        raise AssertionError(f"nothing is shown here, and something was: {disclosure}")


async def _no_model(call: Call) -> Reply:
    raise AssertionError(f"nobody is asked anything here, and a call came: {call.operation}")
