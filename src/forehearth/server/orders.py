"""What a child is started for, as the first line on its socket."""

from typing import Any, Literal

import msgspec

from forehearth.core.settings import LogSettings


class ListenerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A listening socket that the worker inherits: its descriptor, and whether TLS is spoken on it."""

    descriptor: int
    tls: bool
    admin: bool = False


class WorkerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Serve the listeners, by these settings."""

    index: int
    settings: dict[str, Any]
    """As `handover.pack` made it."""
    key: str
    data: str
    """The data directory."""
    listeners: tuple[ListenerOrder, ...]
    certificate: str | None = None
    """PEM file with the certificate chain; None where no listener speaks TLS."""
    certificate_key: str | None = None
    embedded_socket: str | None = None
    """The model host's socket; None where no deployment is embedded."""
    development_issuer: bool = False
    """Whether to be an issuer of tokens, too, for those on this machine."""


class EmbeddedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that runs here, as the configuration names it."""

    name: str
    """A catalogue name, or the full path of a GGUF file."""
    type: str
    """What it is for: `core.settings.ModelSettings.type`."""


class HostOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Be the model host on an inherited Unix socket."""

    descriptor: int
    models: tuple[EmbeddedModel, ...]
    threads: int | None = None
    preload: bool = False
    """Load every model before saying that the host is ready."""
    log: LogSettings = LogSettings()


class FetchOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Fetch what is missing of the weights of these models, and see whether their engines can be loaded."""

    models: tuple[EmbeddedModel, ...]
    log: LogSettings = LogSettings()


class EnrichOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Read a job of enrichment that came in over REST, and do with it what is wanted."""

    deed: Literal["check", "plan", "run", "resume", "retry"]
    job: dict[str, Any]
    """As it was sent."""
    sample: int | None = None
    """Prompts that a plan asks; as many as usual, unless given."""
    bounds: dict[str, Any]
    """The key `enrichment` of the configuration, as `handover.pack_part` made it."""
    deployments: tuple[str, ...]
    """What it may ask here: deployments and routes."""
    states: str
    """The folder with the states of all jobs of the resource."""
    url: str
    """Where this server is asked."""
    key: str
    log: LogSettings = LogSettings()


def encode(order: msgspec.Struct) -> bytes:
    """The order in one line."""
    return msgspec.json.encode(order)
