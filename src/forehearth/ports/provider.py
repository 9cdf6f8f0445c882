"""What is particular to a kind of model host."""

from typing import Protocol

from forehearth.core.call import Call
from forehearth.core.upstream import Request


class Provider(Protocol):
    """Addresses and authenticates a call for one backend. Pure: it makes a request and sends nothing."""

    def request(self, call: Call, model: str) -> Request:
        """The request that asks this host for `call`, with `model` as the model's name there.

        Raises `NotSupported` when this host has no such operation.
        """
        ...
