"""What is done on a resource besides calls, as the program puts it together, for tests that read endpoint tables."""

from forehearth.core.call import Call
from forehearth.core.exchange import Reply
from forehearth.server.families import families
from forehearth.stores.memory import MemoryDocuments
from forehearth.testing.clock import VirtualClock


async def _nowhere(call: Call) -> Reply:
    raise AssertionError(f"no model is asked for {call.name}")


FAMILIES = families(MemoryDocuments(), VirtualClock())(_nowhere)
