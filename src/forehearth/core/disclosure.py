"""That somebody was shown a secret, as the audit log is told of it."""

import msgspec

from forehearth.core.place import Place
from forehearth.core.principal import Principal


class Disclosure(msgspec.Struct, frozen=True, kw_only=True):
    """Who was shown what. It has nothing of the secret."""

    request_id: str
    place: Place
    operation: str
    """The surface and the endpoint."""
    principal: Principal
    target: str
    """What it is the secret of."""
    detail: str
