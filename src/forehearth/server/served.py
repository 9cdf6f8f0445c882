"""Every endpoint that the server has, by the surface that answers it: what the tables say, without a server."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import msgspec

from forehearth.core.call import Call
from forehearth.core.clock import SystemClock
from forehearth.core.endpoint import Endpoint
from forehearth.core.exchange import Reply
from forehearth.routing.directory import Directory
from forehearth.server import app
from forehearth.server.families import families
from forehearth.server.working import Workshop
from forehearth.stores.memory import MemoryDocuments
from forehearth.stores.memory_blobs import MemoryBlobs
from forehearth.stores.memory_jobs import MemoryJobs
from forehearth.wire import admin, descriptions
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
    made = families(stores, clock, {}, Workshop(), blobs=MemoryBlobs(), upload_bytes=0)("", _no_model, lambda _: False)
    tables = surfaces(Directory({}, {}, created=0), families=made)
    found = {surface.name: tuple(surface.endpoints) for _, surface in tables}
    return MappingProxyType({**found, ADMIN: tuple(admin.ENDPOINTS), SERVER: (*app.ENDPOINTS, *descriptions.ENDPOINTS)})


async def _no_model(call: Call) -> Reply:
    raise AssertionError(f"nobody is asked anything here, and a call came: {call.operation}")
