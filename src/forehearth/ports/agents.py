"""Where responses find the agent that they are asked of, and an agent's own endpoint finds whose it is."""

from typing import Protocol

from forehearth.core.agent import AgentVersion
from forehearth.core.place import Place


class AgentResolver(Protocol):
    """Finds agents by name."""

    async def resolve(self, place: Place, name: str, version: str | None = None) -> AgentVersion:
        """The version, or the latest one when None, of the agent of that name in the project that `place` is in.

        Raises `NotFound`, and `Conflict` for an agent that is disabled.
        """
        ...


class AgentIdentifier(Protocol):
    """Tells agents of the same name apart."""

    async def identify(self, place: Place, name: str) -> str:
        """The id of the agent that has that name now, disabled or not, and that no other one ever has.

        Raises `NotFound`.
        """
        ...
