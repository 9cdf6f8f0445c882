"""Every family of endpoints that the server has, on a store in memory."""

import secrets

import msgspec

from forehearth.connections.sealing import AeadSealer
from forehearth.connections.service import Configured, Connections
from forehearth.core.call import Call
from forehearth.core.clock import Clock
from forehearth.core.disclosure import Disclosure
from forehearth.core.exchange import Reply
from forehearth.ports.blobs import Blobs
from forehearth.ports.disclosures import Disclosures
from forehearth.routing.directory import Directory
from forehearth.server.encryption_keys import GivenKeys
from forehearth.server.families import families
from forehearth.server.reach import Reach
from forehearth.server.working import Workshop
from forehearth.stores.memory import MemoryDocuments
from forehearth.stores.memory_blobs import MemoryBlobs
from forehearth.stores.memory_jobs import MemoryJobs
from forehearth.stores.memory_spool import MemorySpool
from forehearth.testing.clock import VirtualClock
from forehearth.wire import connections as connections_wire
from forehearth.wire.surfaces import Families

UPLOAD_BYTES = 100_000


class _Stores(msgspec.Struct, frozen=True, kw_only=True):
    documents: MemoryDocuments
    jobs: MemoryJobs


class Told:
    """Who is told that secrets are shown."""

    def __init__(self) -> None:
        self.disclosures: list[Disclosure] = []

    async def note(self, disclosure: Disclosure) -> None:
        self.disclosures.append(disclosure)


def sealer() -> AeadSealer:
    """One with a key that everybody knows."""
    return AeadSealer(GivenKeys([b"k" * 32]), secrets.token_bytes)


async def _no_models(call: Call) -> Reply:
    raise AssertionError(call)


def all_families(
    documents: MemoryDocuments | None = None,
    connections: Configured | None = None,
    blobs: Blobs | None = None,
    clock: Clock | None = None,
    disclosures: Disclosures | None = None,
) -> Families:
    """Those of one resource. A file has `UPLOAD_BYTES` at the most."""
    clock, documents = clock or VirtualClock(), documents or MemoryDocuments()
    stores = _Stores(documents=documents, jobs=MemoryJobs(clock))
    rows = connections_wire.rows(Connections(documents, connections or {}, sealer(), clock), disclosures or Told())
    reach = Reach(blobs=blobs or MemoryBlobs(), spool=MemorySpool(), sealer=sealer())
    return families(stores, clock, rows, Workshop(), reach=reach, upload_bytes=UPLOAD_BYTES)(
        "here", _no_models, Directory({}, {}, created=0)
    )
