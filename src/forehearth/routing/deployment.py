"""A deployment and the places that serve it: what routing works with."""

import math

import msgspec

from forehearth.core.routing_settings import BackendLimits, HealthSettings, RetrySettings
from forehearth.core.settings import ModelSettings
from forehearth.ports.provider import Provider
from forehearth.ports.sender import Sender


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """One place that can serve a deployment."""

    name: str
    provider: Provider
    sender: Sender
    model: str
    """The model's name there."""
    restarts: bool = False
    """Whether it is ours and comes back by itself, so that a broken connection means: try again in a moment."""
    priority: int = 1
    """Lower ones are asked first."""
    weight: int | None = None
    """1 where it counts and is not given."""
    limits: BackendLimits = BackendLimits()
    """What it can take of all workers together."""
    responses: bool = False
    """Whether it has the Responses API, and is asked by it what came by it."""


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A name clients ask for, what is known of its model, who serves it, and the rules of their pool."""

    name: str
    facts: ModelSettings
    backends: tuple[Backend, ...]
    resource: str = ""
    """The resource that it belongs to; empty for the default one."""
    retries: RetrySettings = RetrySettings()
    health: HealthSettings = HealthSettings()
    deadline: float = math.inf
    """Seconds for a whole call, all tries and the stream included."""
    fetch_images: bool = False
    """Whether images by their address are fetched for its hosts."""

    @property
    def label(self) -> str:
        """What metrics and logs call it: unlike `name`, no two of a server share it."""
        return f"{self.resource}/{self.name}" if self.resource else self.name

    @property
    def responses(self) -> bool:
        """Whether one of its backends has the Responses API."""
        return any(backend.responses for backend in self.backends)
