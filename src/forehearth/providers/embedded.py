"""The model host that Forehearth brings itself, behind a Unix socket of this installation."""

from typing import Annotated, ClassVar

import msgspec

from forehearth.core.call import Call
from forehearth.core.settings import OutboundSettings, ProviderSettings
from forehearth.core.settings_types import Seconds
from forehearth.core.upstream import Origin, Request
from forehearth.providers import address
from forehearth.providers.body import JSON_HEADERS, OPERATION_PATHS, named
from forehearth.providers.media import as_media


class EmbeddedSettings(ProviderSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Small models that run here, offline; demo-grade."""

    model_files: ClassVar[bool] = True

    threads: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """For the engine; one less than the machine has cores, unless given."""
    first_byte_seconds: Seconds = 300.0
    """Loading a model and reading a long prompt take a while on small machines."""
    total_seconds: Seconds = 900.0
    """For a whole call, streams included."""


class Embedded:
    """The model host's OpenAI-shaped surface at `socket`, a path that only this installation's user can open."""

    def __init__(self, name: str, settings: EmbeddedSettings, *, socket: str) -> None:
        self.name = name
        self._origin = Origin(scheme="http", host="localhost", socket=socket)
        self._timeouts = address.timeouts(
            OutboundSettings(
                first_byte_seconds=settings.first_byte_seconds,
                idle_seconds=settings.first_byte_seconds,
                total_seconds=settings.total_seconds,
            )
        )

    def request(self, call: Call, model: str) -> Request:
        """The call, with the model's catalogue name or file in the body."""
        request = Request(
            origin=self._origin,
            target=b"/v1" + OPERATION_PATHS[call.operation].encode(),
            headers=(*JSON_HEADERS, *call.forward.items()),
            body=named(call, model),
            timeouts=self._timeouts,
        )
        return as_media(request, call, model)
