"""What the way of a request leads through."""

from collections.abc import Callable, Mapping

import msgspec

from forehearth.core.clock import Clock
from forehearth.policies.onion import Proceed
from forehearth.ports.identity import Identity
from forehearth.ports.keep import Keep
from forehearth.ports.meter import Meter, Traffic
from forehearth.ports.refusals import Refusals
from forehearth.ports.surface import Surface
from forehearth.routing.directory import Directory


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant: its surfaces, its deployments, and each deployment's onion."""

    name: str
    surface_of: Callable[[bytes], Surface | None]
    """From a raw path to its surface; None for paths that are none of ours."""
    directory: Directory
    onions: Mapping[str, Proceed]
    """By deployment: its policies around the attempts at its backends."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the way leads through."""

    resource_of: Callable[[bytes], Resource]
    """From a `Host` to its resource; the default one for every other host."""
    identity: Identity
    meter: Meter
    traffic: Traffic
    clock: Clock
    new_id: Callable[[], str]
    max_body: int
    """Bytes."""
    refusals: Refusals | None = None
    """Who is told of callers that are not let in; None where nobody is."""
    keep: Keep | None = None
    """What stores answers; None where nothing does."""
    is_cutting: Callable[[], bool] = lambda: False
    """Whether the server stops and ends what is still in flight."""
