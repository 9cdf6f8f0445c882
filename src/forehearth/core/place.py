"""Where something is: in a resource, in one of its projects, at one agent of a project."""

import msgspec


class Place(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """A resource, and what is within it. An empty `project` is the resource itself, an empty `agent` the project."""

    resource: str
    project: str = ""
    agent: str = ""

    def covers(self, other: "Place") -> bool:
        """Whether what holds here holds there: `other` is this place, or lies within it."""
        return (
            self.resource == other.resource
            and self.project in ("", other.project)
            and (not self.agent or self.agent == other.agent)
        )
