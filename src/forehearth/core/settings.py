"""The configuration as frozen values: its members are the file's keys, their docstrings its documentation.

Read once by `config/`, handed down by `server.py`; nothing else sees the file or the environment. What a provider
needs is declared by that provider (`ProviderSettings`), so adding one adds its keys.
"""

from typing import Annotated, ClassVar, Literal

import msgspec

from forehearth.core.cache_settings import CacheSettings
from forehearth.core.egress_settings import EgressSettings
from forehearth.core.enrichment_bounds_settings import EnrichmentSettings
from forehearth.core.identity_settings import IdentitySettings, ProjectSettings
from forehearth.core.ledger_settings import LedgerSettings
from forehearth.core.limit_settings import LimitSettings, ProductSettings, TokenSettings, check_limits, check_room
from forehearth.core.price_settings import ListedAs, PriceSettings
from forehearth.core.routing_settings import (
    AffinitySettings,
    BackendLimits,
    Count,
    HealthSettings,
    RetrySettings,
    RouteSettings,
    StrategyName,
)
from forehearth.core.secret import Secret
from forehearth.core.settings_types import (
    Bytes,
    FilePath,
    Host,
    KeyHeader,
    Name,
    PathPrefix,
    Port,
    ProxyUrl,
    Seconds,
    Text,
    Unfit,
    Values,
)
from forehearth.core.store_settings import StoreSettings

ResourceName = Annotated[
    str,
    msgspec.Meta(
        pattern="^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        description="a name of at most 63 small letters, digits and '-'",
    ),
]


class ProviderSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of what a provider file declares as its keys. `provider:` in the file chooses which one."""

    model_files: ClassVar[bool] = False
    """Whether a deployment's `model` may be a file here; a relative one is then taken from the file's folder."""
    priced_as: ClassVar[str | None] = None
    """Whose prices its models have in the price list; None where that is seen by the address, or not at all."""


class TlsSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The certificate the server shows. Without one, a development CA of this installation signs it."""

    certificate: FilePath | None = None
    """PEM file with the certificate chain; needs `key`."""
    key: FilePath | None = None
    """PEM file with the certificate's private key."""
    names: tuple[Host, ...] = ()
    """Further host names for the development certificate, besides localhost, 127.0.0.1 and ::1."""


class InboundLimits(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds on what a client may send, and on how slowly."""

    header_bytes: Bytes = 65_536
    """Bytes of request line and headers together."""
    header_count: Annotated[int, msgspec.Meta(ge=1)] = 128
    """Header fields of one request."""
    url_bytes: Bytes = 8_192
    """Bytes of a request's path and query together."""
    body_bytes: Bytes = 16 * 1024 * 1024
    """Bytes of a request's body."""
    upload_bytes: Bytes = 512 * 1024 * 1024
    """Bytes of a file that is uploaded."""
    header_seconds: Seconds = 10.0
    """Seconds for the whole head to arrive, from its first byte or from the connection."""
    body_seconds: Seconds = 60.0
    """Seconds for the whole body to arrive."""
    idle_seconds: Seconds = 75.0
    """Seconds that a kept-alive connection may be silent between requests."""
    write_seconds: Seconds = 30.0
    """Seconds that a client may leave what we wrote unread before it is dropped."""
    connections: Annotated[int, msgspec.Meta(ge=1)] = 8_192
    """Open connections of one worker; one more is answered 503 and closed."""
    connections_per_client: Annotated[int, msgspec.Meta(ge=1)] = 4_096
    """Open connections of one worker from one peer address."""


class SubscriptionKeySettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where clients of an API Management send their key: these are read besides every other form of it."""

    header: KeyHeader = "Ocp-Apim-Subscription-Key"
    """The header."""
    query: Name | None = None
    """The parameter of the query, such as `subscription-key`; null takes none. Whoever is on the way may log it."""


class ServerSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the server listens, and how it stops."""

    host: Host = "127.0.0.1"
    """The address to listen on; `0.0.0.0` is every IPv4 address of the machine, `::` every address."""
    port: Port = 8080
    """Port for http; 0 takes a free one."""
    tls_port: Port | None = 8443
    """Port for https; 0 takes a free one, null listens on http alone."""
    admin_port: Port | None = None
    """A port of its own for `/admin/*`, http on the same address; no other port has it then. 0 takes a free one."""
    tls: TlsSettings = TlsSettings()
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    """Processes that share the ports."""
    grace_seconds: Annotated[float, msgspec.Meta(ge=0)] = 30.0
    """After SIGTERM, how many seconds calls and streams in flight may still take."""
    prefixes: tuple[PathPrefix, ...] = ()
    """Paths below which every surface is served as well: `/team-a` for `/team-a/openai/v1`."""
    subscription_key: SubscriptionKeySettings = SubscriptionKeySettings()
    resource: ResourceName = "forehearth"
    """The resource's name, in `x-ms-*` headers and in the URLs that are printed."""
    limits: InboundLimits = InboundLimits()


class LogSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written about what happens. Prompts, answers and secrets never are."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least serious records that are written; tracebacks are written at `debug` only."""
    format: Literal["text", "json"] = "text"
    """`text` for people, `json` for one JSON object a line."""


class ModelSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Facts about the model behind a deployment, told to clients that ask."""

    name: Text | None = None
    """The model's own name; the deployment's, when not given."""
    version: Text | None = None
    """The model's version, in its publisher's words."""
    publisher: Text | None = None
    """Who made the model."""
    type: Literal[
        "chat_completion",
        "completion",
        "embeddings",
        "audio_transcription",
        "audio_generation",
        "image_generation",
    ] = "chat_completion"
    """What the model is for. `audio_transcription` makes text of speech, `audio_generation` speech of text."""
    context_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Tokens of prompt and answer together that the model can hold. With a vocabulary (`tokens`), responses that are
    longer are refused or [shortened](responses.md#conversations-that-are-too-long) before a host is asked."""


class DeploymentBackend(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One place that can serve a deployment."""

    backend: Name
    """A name under `backends`."""
    model: Text | None = None
    """The model's name there; the deployment's, when not given. For `embedded`: a catalogue name or a GGUF file."""
    priority: Count = 1
    """Lower ones are asked first; a higher one when all lower ones are down, busy or full."""
    weight: Count | None = None
    """The share of the calls that it gets among those of its priority. With `strategy: priority`, those of a priority
    are asked in the order in which they stand here where none of them has a weight. 1, where it counts."""
    limits: BackendLimits = BackendLimits()
    """What it can take."""
    prices: PriceSettings | None = None
    """What tokens cost there, where that is another price than the deployment's."""
    price_as: ListedAs | None = None
    """The provider and the model whose listed price they have there, such as `openai/gpt-4o`."""


class DeploymentSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The name a client puts in `model` or in a classic path."""

    model: ModelSettings = ModelSettings()
    backends: Annotated[tuple[DeploymentBackend, ...], msgspec.Meta(min_length=1)]
    """Where its calls go: the next one when one cannot be reached, is busy or ill."""
    strategy: StrategyName = "priority"
    """Which of the backends of a priority is asked first. `priority`: by their order or weight; `weighted`: by weight;
    `least_latency`: the one that begins to answer soonest; `least_busy`: the one with the fewest calls for its weight;
    `session_affinity`: the same one for all calls of a session."""
    affinity: AffinitySettings | None = None
    """With `session_affinity`: what a session is known by."""
    retries: RetrySettings = RetrySettings()
    """How often another backend is asked after one failed."""
    health: HealthSettings = HealthSettings()
    """When a backend is left out for a while."""
    deadline_seconds: Seconds | None = None
    """Seconds for a whole call, all tries and the stream included; the longest `total_seconds` of its backends, when
    not given."""
    cache: CacheSettings | None = None
    """Which of its answers are given again without asking a backend; none, unless given."""
    prices: PriceSettings | None = None
    """What tokens cost. Unless given, what the price list has for the model at its provider; else it is unknown."""
    price_as: ListedAs | None = None
    """The provider and the model whose listed price they have, such as `openai/gpt-4o`."""
    limits: tuple[LimitSettings, ...] = ()
    """Limits for its calls."""
    tokens: TokenSettings = TokenSettings()
    """How many tokens a call may use, for limits."""
    ask_usage: bool = True
    """Whether backends are asked to report usage at the end of streams. Clients that did not ask do not see it."""
    fetch_images: bool = False
    """Whether images that a response names by their address are fetched here, by the rules of `egress`, and sent along:
    for hosts that fetch none, or must not reach what callers name. Others are handed the address."""
    on_client_gone: Literal["cancel", "drain"] = "cancel"
    """When a client leaves before its answer ends. `cancel`: the backend is left too, and what came is counted;
    `drain`: the answer is read to its end, so that it is known what it used."""

    def __post_init__(self) -> None:
        """Refuse an affinity that nothing asks for, and the strategy without one. Raises `Unfit`."""
        if self.strategy == "session_affinity" and self.affinity is None:
            hint = "add it, such as affinity: {header: x-session-id}"
            raise Unfit("session_affinity needs an affinity", member="strategy", hint=hint)
        if self.strategy != "session_affinity" and self.affinity is not None:
            hint = "add strategy: session_affinity"
            raise Unfit(f"the strategy {self.strategy} has no affinity", member="affinity", hint=hint)
        check_limits(self.limits)
        check_room(self.limits, self.tokens)


class ResourceSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A further resource: a tenant with deployments, projects and keys of its own, reached by its host name."""

    deployments: dict[Name, DeploymentSettings] = {}
    """What its clients can call, by the name they use."""
    routes: dict[Name, RouteSettings] = {}
    """Further names that its clients can use, each standing for one of its deployments."""
    projects: dict[Name, ProjectSettings] = {}
    """Its projects, besides `default`."""
    products: dict[Name, ProductSettings] = {}
    """Its products: bundles of deployments and limits, handed to callers with their keys."""


class AuditSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The log of what operators do."""

    kept_days: Annotated[int, msgspec.Meta(ge=1)] = 90
    """After so many days a record is removed."""


class Settings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    version: Annotated[Literal[1], msgspec.Meta(extra={"required": True})] = 1
    """The version of this file's format, always 1."""
    server: ServerSettings = ServerSettings()
    log: LogSettings = LogSettings()
    backends: dict[Name, ProviderSettings] = {}
    """Addresses that can serve deployments, by a name of your choice."""
    deployments: dict[Name, DeploymentSettings] = {}
    """What clients can call, by the name they use."""
    routes: dict[Name, RouteSettings] = {}
    """Further names that clients can use, each standing for a deployment."""
    projects: dict[Name, ProjectSettings] = {}
    """Projects, besides `default`, which is always there."""
    products: dict[Name, ProductSettings] = {}
    """Products: bundles of deployments and limits, handed to callers with their keys."""
    resources: dict[ResourceName, ResourceSettings] = {}
    """Further resources, by the name in `{name}.services.ai.azure.com` and `{name}.openai.azure.com`."""
    identity: IdentitySettings = IdentitySettings()
    audit: AuditSettings = AuditSettings()
    ledger: LedgerSettings = LedgerSettings()
    store: StoreSettings = StoreSettings()
    egress: EgressSettings = EgressSettings()
    enrichment: EnrichmentSettings = EnrichmentSettings()


class OutboundSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a host is dialled: the member `connection` of every backend that is reached over HTTP."""

    ca_bundle: FilePath | None = None
    """PEM file of certificates to trust for this host instead of the system's."""
    client_certificate: FilePath | None = None
    """PEM file with the certificate we show to this host."""
    client_key: FilePath | None = None
    """PEM file with that certificate's private key, when it is not in the same file."""
    proxy: ProxyUrl | None = None
    """Proxy for this host; without it `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` decide; `none` goes direct."""
    connections: Annotated[int, msgspec.Meta(ge=1)] = 1_024
    """Open connections of one worker to this host, one for each call in flight; further calls wait for one of them."""
    connect_seconds: Seconds = 5.0
    """Seconds for name resolution, TCP and TLS together."""
    first_byte_seconds: Seconds = 120.0
    """Seconds from the request sent to the first byte of the response."""
    idle_seconds: Seconds = 60.0
    """Seconds between two reads of a response's body."""
    total_seconds: Seconds = 600.0
    """Seconds for the whole call, streams included."""


Credential = Secret
"""A secret written in the file as `${ENVIRONMENT_VARIABLE}` or `file:PATH`."""
