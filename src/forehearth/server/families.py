"""What is done on each resource besides calls, put together: one line a family of endpoints."""

import uuid

from forehearth.agents.service import Agents
from forehearth.core.clock import Clock
from forehearth.ports.documents import DocumentStore
from forehearth.ports.door import Door
from forehearth.wire import agents as agents_wire
from forehearth.wire import connections as connections_wire
from forehearth.wire.connections import Connections
from forehearth.wire.surfaces import Families, FamiliesOf


def families(documents: DocumentStore, clock: Clock, connections: Connections) -> FamiliesOf:
    """What makes them for a resource, from the way to its models. `documents` keep what they keep."""
    agents = Agents(documents, clock=clock, new_id=lambda: str(uuid.uuid4()))

    def made(door: Door) -> Families:  # noqa: ARG001 - for those that ask models
        v1 = ()
        return Families(v1=v1, classic=(), project=(*agents_wire.rows(agents), *connections_wire.rows(connections)))

    return made
