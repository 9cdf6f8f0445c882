"""What makes a vector of a text."""

from collections.abc import Sequence
from typing import Protocol

from forehearth.core.call import Call


class Embedder(Protocol):
    """A model that places texts of like meaning near each other."""

    async def embed(self, text: str, call: Call) -> Sequence[float]:
        """The vector of `text`, which is of `call`.

        Raises a `ForehearthError` where there is none, such as `TimedOut` where it takes too long.
        """
        ...
