"""A whole provider on one page: a host that wants its model in the path and its key in a header of its own."""

from forehearth.core.call import Call
from forehearth.core.secret import Secret
from forehearth.core.settings import OutboundSettings, ProviderSettings
from forehearth.core.upstream import Request
from forehearth.providers import address
from forehearth.providers.body import OPERATION_PATHS


class ToySettings(ProviderSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A toy host."""

    address: str
    """Where it is."""
    token: Secret
    """What it lets us in by."""
    connection: OutboundSettings = OutboundSettings()
    """How it is dialled."""


class Toy:
    """`{address}/toys/{model}/…` with the token in `x-toy`."""

    def __init__(self, name: str, settings: ToySettings) -> None:
        self.name = name
        self._settings = settings

    def request(self, call: Call, model: str) -> Request:
        """The call at the toy host."""
        origin, path = address.origin(self._settings.address, self._settings.connection)
        return Request(
            origin=origin,
            target=f"{path}/toys/{model}{OPERATION_PATHS[call.operation]}".encode(),
            headers=((b"x-toy", self._settings.token.reveal().encode()),),
            body=call.body,
        )
