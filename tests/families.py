"""Every family of endpoints that the server has, on a store in memory."""

from forehearth.core.call import Call
from forehearth.core.clock import Clock
from forehearth.core.exchange import Reply
from forehearth.ports.blobs import Blobs
from forehearth.server.families import families
from forehearth.stores.memory import MemoryDocuments
from forehearth.stores.memory_blobs import MemoryBlobs
from forehearth.testing.clock import VirtualClock
from forehearth.wire.connections import Connections
from forehearth.wire.surfaces import Families

UPLOAD_BYTES = 100_000


async def _no_models(call: Call) -> Reply:
    raise AssertionError(call)


def all_families(
    documents: MemoryDocuments | None = None,
    connections: Connections | None = None,
    blobs: Blobs | None = None,
    clock: Clock | None = None,
) -> Families:
    """Those of one resource. A file has `UPLOAD_BYTES` at the most."""
    return families(
        documents or MemoryDocuments(),
        clock or VirtualClock(),
        connections or {},
        blobs=blobs or MemoryBlobs(),
        upload_bytes=UPLOAD_BYTES,
    )(_no_models)
