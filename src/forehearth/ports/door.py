"""The way to a model for what is more than one call: responses, agents, evaluations."""

from typing import Protocol

from forehearth.core.call import Call
from forehearth.core.exchange import Reply


class Door(Protocol):
    """Carries a call to a resource's deployments, through their limits, caches and ledger, as if it had come in."""

    async def __call__(self, call: Call) -> Reply:
        """The successful reply; a stream in it is owed its `aclose()`. Raises the `ForehearthError` that fits.

        Whoever made the call closes its record when the reply is over.
        """
        ...
