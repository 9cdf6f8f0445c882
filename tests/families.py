"""Every family of endpoints that the server has, on a store in memory."""

from forehearth.core.call import Call
from forehearth.core.exchange import Reply
from forehearth.server.families import families
from forehearth.stores.memory import MemoryDocuments
from forehearth.testing.clock import VirtualClock
from forehearth.wire.connections import Connections
from forehearth.wire.surfaces import Families


async def _no_models(call: Call) -> Reply:
    raise AssertionError(call)


def all_families(documents: MemoryDocuments | None = None, connections: Connections | None = None) -> Families:
    """Those of one resource."""
    return families(documents or MemoryDocuments(), VirtualClock(), connections or {})(_no_models)
