"""Where something is: in a resource, in one of its projects, at one agent of a project."""

from typing import Final

import msgspec

_MARK: Final = "."
"""Between an agent's name, which has none, and its id."""


class Place(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """A resource, and what is within it. An empty `project` is the resource itself, an empty `agent` the project."""

    resource: str
    project: str = ""
    agent: str = ""

    @property
    def agent_name(self) -> str:
        """The agent's name, whichever agent of that name is meant."""
        return self.agent.partition(_MARK)[0]

    def at_agent(self, name: str, agent_id: str) -> "Place":
        """Where things of an agent are in this project: of this one alone, and not of a later one of its name."""
        return msgspec.structs.replace(self, agent=f"{name}{_MARK}{agent_id}")

    def covers(self, other: "Place") -> bool:
        """Whether what holds here holds there: `other` is this place, or lies within it."""
        return (
            self.resource == other.resource
            and self.project in ("", other.project)
            and (not self.agent or self.agent == other.agent)
        )
