"""What is done on each resource besides calls, put together: one line a family of endpoints."""

from forehearth.ports.door import Door
from forehearth.wire.surfaces import Families, FamiliesOf


def families() -> FamiliesOf:
    """What makes them for a resource, from the way to its models."""

    def made(door: Door) -> Families:  # noqa: ARG001 - for those that ask models
        v1 = ()
        return Families(v1=v1, classic=(), project=())

    return made
