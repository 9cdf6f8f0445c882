"""Who is told before somebody is shown a secret."""

from typing import Protocol

from forehearth.core.disclosure import Disclosure


class Disclosures(Protocol):
    """Writes it down."""

    async def note(self, disclosure: Disclosure) -> None:
        """Return once it is written. Raises `Overloaded` where it cannot be now: then nothing may be shown."""
        ...
