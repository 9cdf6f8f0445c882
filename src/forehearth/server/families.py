"""What is done on each resource besides calls, put together: one line a family of endpoints."""

from forehearth.core.clock import Clock
from forehearth.ports.documents import DocumentStore
from forehearth.ports.door import Door
from forehearth.server.responses import made_responses
from forehearth.wire import responses
from forehearth.wire.surfaces import Families, FamiliesOf


def families(documents: DocumentStore, clock: Clock) -> FamiliesOf:
    """What makes them for a resource, from the way to its models. What they keep is in `documents`."""

    def made(door: Door) -> Families:
        answered = made_responses(documents, door, clock)
        v1 = (*responses.rows(answered),)
        classic = (*responses.rows(answered), *responses.with_deployment(answered))
        return Families(v1=v1, classic=classic, project=())

    return made
