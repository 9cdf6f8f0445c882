"""Every family of endpoints that the server has, on a store in memory."""

import msgspec

from forehearth.core.call import Call
from forehearth.core.clock import Clock
from forehearth.core.exchange import Reply
from forehearth.ports.blobs import Blobs
from forehearth.server.families import families
from forehearth.server.working import Workshop
from forehearth.stores.memory import MemoryDocuments
from forehearth.stores.memory_blobs import MemoryBlobs
from forehearth.stores.memory_jobs import MemoryJobs
from forehearth.testing.clock import VirtualClock
from forehearth.wire.connections import Connections
from forehearth.wire.surfaces import Families

UPLOAD_BYTES = 100_000


class _Stores(msgspec.Struct, frozen=True, kw_only=True):
    documents: MemoryDocuments
    jobs: MemoryJobs


async def _no_models(call: Call) -> Reply:
    raise AssertionError(call)


def all_families(
    documents: MemoryDocuments | None = None,
    connections: Connections | None = None,
    blobs: Blobs | None = None,
    clock: Clock | None = None,
) -> Families:
    """Those of one resource. A file has `UPLOAD_BYTES` at the most."""
    clock = clock or VirtualClock()
    stores = _Stores(documents=documents or MemoryDocuments(), jobs=MemoryJobs(clock))
    return families(
        stores, clock, connections or {}, Workshop(), blobs=blobs or MemoryBlobs(), upload_bytes=UPLOAD_BYTES
    )("here", _no_models, lambda _: False)
