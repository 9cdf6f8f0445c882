"""Who asks for what is more than one call: responses and runs."""

from typing import Final

from forehearth.ports.surface import Entry
from forehearth.responses.caller import Caller
from forehearth.wire import bodies

_SURFACES: Final = (("/api/projects/", "projects"), ("/openai/v1", "openai_v1"))
"""By how an endpoint's path begins; all others are classic."""
_OTHER: Final = "azure_deployments"


def caller(entry: Entry) -> Caller:
    """The one behind a request that was let in."""
    path = entry.asked.endpoint.path
    return Caller(
        place=entry.place,
        principal=entry.principal,
        request_id=entry.trace.request_id,
        surface=next((name for start, name in _SURFACES if path.startswith(start)), _OTHER),
        started=entry.started,
        headers=entry.head.headers,
        forward=bodies.forwarded(entry.head),
        record=entry.record,
    )
