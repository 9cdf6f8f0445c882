"""A run as whoever operates the server sees it: what was done, when and with what, and never what was said."""

import msgspec

from forehearth.core.job import JobError
from forehearth.core.usage import Usage


class RunItem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a run made: a message, a call of a tool, what a tool gave. Times are in Unix seconds."""

    id: str
    type: str
    name: str = ""
    """Of the tool, where it is one's."""
    status: str = ""
    began: float | None = None
    """None where nobody noted that."""
    ended: float | None = None
    pieces: int = 0
    """In how many it came, where it was told in pieces."""


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run besides its job."""

    kind: str
    status: str
    model: str = ""
    agent: str = ""
    """Its name and version, with a colon between them."""
    background: bool = False
    tools: tuple[str, ...] = ()
    """What it may use."""
    requests: tuple[str, ...] = ()
    """The ids of the requests that asked for it, or for it to go on."""
    began: float
    """Unix seconds."""
    ended: float | None = None
    """None while it lasts."""
    items: tuple[RunItem, ...] = ()
    usage: Usage | None = None
    error: JobError | None = None


class RunAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody had one of its jobs. Times are in Unix seconds."""

    leg: int
    """Which job it was, from 0."""
    fence: int
    began: float
    ended: float | None
    """When the next one took it, or it ended; None while it lasts."""


class RunStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step that one of its jobs recorded."""

    leg: int
    name: str
    at: float | None


class RunEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a run told."""

    number: int
    name: str
    at: float | None
    item: str = ""
    """The type of the item that it is about."""
    tool: str = ""
