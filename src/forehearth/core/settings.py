"""The configuration as frozen values: its members are the file's keys, their docstrings its documentation.

Read once by `config/`, handed down by `server.py`; nothing else sees the file or the environment. What a provider
needs is declared by that provider (`ProviderSettings`), so adding one adds its keys.
"""

from typing import Annotated

import msgspec

from forehearth.core.secret import Secret

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Bytes = Annotated[int, msgspec.Meta(ge=1)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class Values(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every part of the configuration is: frozen, named, and strict about unknown keys."""


class ProviderSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of what a provider file declares as its keys. `provider:` in the file chooses which one."""


class TlsSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The certificate the server shows. Without one, a development CA of this installation signs it."""

    certificate: str | None = None
    """PEM file with the certificate chain."""
    key: str | None = None
    """PEM file with its private key."""
    names: tuple[str, ...] = ()
    """Further host names for the development certificate, besides localhost, 127.0.0.1 and ::1."""


class InboundLimits(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds on what a client may send, and on how slowly."""

    header_bytes: Bytes = 65_536
    """Request line and headers together."""
    header_count: Annotated[int, msgspec.Meta(ge=1)] = 128
    url_bytes: Bytes = 8_192
    body_bytes: Bytes = 16 * 1024 * 1024
    header_seconds: Seconds = 10.0
    """For the whole head to arrive, from its first byte or from the connection."""
    body_seconds: Seconds = 60.0
    """For the whole body to arrive."""
    idle_seconds: Seconds = 75.0
    """How long a kept-alive connection may be silent between requests."""
    write_seconds: Seconds = 30.0
    """How long a client may leave what we wrote unread before it is dropped."""
    connections: Annotated[int, msgspec.Meta(ge=1)] = 8_192
    """Open connections of one worker; one more is answered 503 and closed."""
    connections_per_client: Annotated[int, msgspec.Meta(ge=1)] = 4_096
    """The same for one peer address."""


class ServerSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the server listens, and how it stops."""

    host: str = "127.0.0.1"
    port: Port = 8080
    tls_port: Port | None = 8443
    """Port for https; null listens on http alone."""
    tls: TlsSettings = TlsSettings()
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    """Processes that share the ports."""
    grace_seconds: Annotated[float, msgspec.Meta(ge=0)] = 30.0
    """After SIGTERM, how long calls and streams in flight may still take."""
    resource: str = "forehearth"
    """The name in `x-ms-*` headers and in the URLs that are printed."""
    limits: InboundLimits = InboundLimits()


class LogSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written about what happens. Prompts, answers and secrets never are."""

    level: Annotated[str, msgspec.Meta(pattern="^(debug|info|warning|error)$")] = "info"
    format: Annotated[str, msgspec.Meta(pattern="^(text|json)$")] = "text"


class ModelSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Facts about the model behind a deployment, told to clients that ask."""

    name: str | None = None
    """The model's own name; the deployment's, when not given."""
    version: str | None = None
    publisher: str | None = None
    type: Annotated[str, msgspec.Meta(pattern="^(chat_completion|completion|embeddings)$")] = "chat_completion"
    context_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None


class DeploymentBackend(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One place that can serve a deployment."""

    backend: Name
    """A name under `backends`."""
    model: str | None = None
    """The model's name there; the deployment's, when not given. For `embedded`: a catalogue name or a GGUF file."""


class DeploymentSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The name a client puts in `model` or in a classic path."""

    model: ModelSettings = ModelSettings()
    backends: Annotated[tuple[DeploymentBackend, ...], msgspec.Meta(min_length=1)]
    """Asked in this order: the next one when one cannot be reached."""


class RouteSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name that stands for a deployment."""

    deployment: Name


class Settings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    version: int = 1
    server: ServerSettings = ServerSettings()
    log: LogSettings = LogSettings()
    backends: dict[Name, ProviderSettings] = {}
    deployments: dict[Name, DeploymentSettings] = {}
    routes: dict[Name, RouteSettings] = {}


class OutboundSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a host is dialled: the member `connection` of every backend that is reached over HTTP."""

    ca_bundle: str | None = None
    """PEM file of certificates to trust for this host instead of the system's."""
    client_certificate: str | None = None
    """PEM file with the certificate we show to this host."""
    client_key: str | None = None
    proxy: str | None = None
    """Proxy for this host; without it `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` decide; `none` goes direct."""
    connect_seconds: Seconds = 5.0
    first_byte_seconds: Seconds = 120.0
    idle_seconds: Seconds = 60.0
    total_seconds: Seconds = 600.0


Credential = Secret
"""A secret written in the file as `${ENVIRONMENT_VARIABLE}` or `file:PATH`."""
