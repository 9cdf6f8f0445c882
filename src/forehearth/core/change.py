"""That somebody changed a thing which others work with, as the audit log is told of it."""

import msgspec

from forehearth.core.place import Place
from forehearth.core.principal import Principal


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what to which thing."""

    request_id: str
    place: Place
    operation: str
    """The surface and the endpoint."""
    principal: Principal
    target: str
    """The thing's name or id; empty where nobody knows it."""
    status: int
    """The answer's; 502 where nobody knows whether it was done."""
