"""Everything that can be plugged in, as plain tables: one line a part.

A provider is one file with two classes (its keys in the configuration, and what it makes of a call) and one line in
`PROVIDERS` that names them and how its requests travel.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from forehearth.accounting.leases import Leases
from forehearth.caching.caches import Caches
from forehearth.config.secrets import held
from forehearth.core.routing_settings import AffinitySettings, StrategyName
from forehearth.core.settings import ProviderSettings
from forehearth.policies.drains import Drains
from forehearth.policies.journal import WriteDown
from forehearth.ports.keep import Keep
from forehearth.ports.provider import Provider
from forehearth.ports.refusals import Refusals
from forehearth.ports.sender import Sender
from forehearth.ports.token_source import TokenIssuer
from forehearth.providers import address
from forehearth.providers.azure_openai import AzureOpenAI, AzureOpenAISettings
from forehearth.providers.credentials import CredentialSettings
from forehearth.providers.embedded import Embedded, EmbeddedSettings
from forehearth.providers.openai_compatible import OpenAICompatible, OpenAICompatibleSettings
from forehearth.providers.scripted import Scripted, ScriptedSettings
from forehearth.routing.plan import Strategy
from forehearth.routing.states import Pools
from forehearth.routing.strategies.least_busy import least_busy
from forehearth.routing.strategies.least_latency import least_latency
from forehearth.routing.strategies.priority import priority
from forehearth.routing.strategies.session_affinity import session_affinity
from forehearth.routing.strategies.weighted import weighted
from forehearth.transport.proxies import choose_proxy
from forehearth.transport.scripted import ScriptedSender
from forehearth.transport.token_keeper import RefusalWatch, TokenKeepers
from forehearth.transport.veil import Veil
from forehearth.wire.surfaces import NONE, FamiliesOf

AZURE_TOKENS = "forehearth.transport.azure_credentials:AzureTokens"
"""Loaded where a backend has a credential, because its library is an extra."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What backends are opened with: the one HTTP client, and what the composition root read for them."""

    http: Sender
    environ: Mapping[str, str]
    """Looked at for `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` alone."""
    embedded_socket: str
    """Where the embedded model host listens."""
    tokens: TokenKeepers = msgspec.field(default_factory=TokenKeepers)
    """Who fetches the tokens of backends with a credential; to be begun when all are opened, and ended."""
    pools: Pools = msgspec.field(default_factory=Pools)
    """Where every pool of backends is added that is made with them, for those who want to look at them."""
    caches: Caches = msgspec.field(default_factory=Caches)
    """Where every cache is added that is made with them."""
    leases: Leases | None = None
    """What this worker holds of limits; None where there are none."""
    drains: Drains = msgspec.field(default_factory=Drains)
    """Who reads answers to their end whose clients left."""
    refusals: Refusals | None = None
    """Who is told of callers that are not let in; None where nobody is."""
    writing: WriteDown | None = None
    """What writes calls down; None where they are not."""
    keep: Keep | None = None
    """What stores answers; None where nothing does."""
    families: FamiliesOf = lambda *_: NONE
    """What is done on each resource besides calls."""
    is_cutting: Callable[[], bool] = lambda: False
    """Whether the server stops and ends what is still in flight."""


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A backend's two halves: who words the request, and who carries it."""

    provider: Provider
    sender: Sender
    restarts: bool = False
    """See `routing.deployment.Backend`."""
    total_seconds: float
    """The longest that a call there may take."""
    responses: bool = False
    """See `routing.deployment.Backend`."""
    by_script: bool = False
    """Whether each answer follows from its own call, so that a refusal says nothing of the next one."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of model host."""

    settings: type[ProviderSettings]
    """Its keys under `backends` in the configuration."""
    open: Callable[[str, Any, Surroundings], Opened]
    """From a backend's name and settings to its halves."""


def over_http(provider: Callable[..., Provider]) -> Callable[[str, Any, Surroundings], Opened]:
    """For hosts that are dialled: its `connection.proxy`, or the proxy that the environment names for its address.

    What comes back shows none of the backend's credentials. With a `credential`, the provider gets its token's source.
    """

    def opened(name: str, settings: Any, around: Surroundings) -> Opened:
        scheme, host, port, _ = address.split(settings.address)
        credential: CredentialSettings | None = getattr(settings, "credential", None)
        chosen = settings.connection.proxy or choose_proxy(around.environ, scheme, host, port)
        # Over http a proxy would read the token; only this machine's own addresses are asked that way.
        direct = chosen == "none" or (credential is not None and scheme == "http")
        connection = msgspec.structs.replace(settings.connection, proxy=None if direct else chosen)
        settings = msgspec.structs.replace(settings, connection=connection)
        most, responses = connection.total_seconds, getattr(settings, "responses", False)
        if credential is None:
            sender = Veil(around.http, held(settings))
            return Opened(provider=provider(name, settings), sender=sender, total_seconds=most, responses=responses)
        keeper = around.tokens.keeper(credential, lambda: _issuer(credential), backend=name)
        sender = Veil(RefusalWatch(around.http, keeper), held(settings), lambda: keeper.issued)
        return Opened(provider=provider(name, settings, keeper), sender=sender, total_seconds=most, responses=responses)

    return opened


def _issuer(credential: CredentialSettings) -> TokenIssuer:
    module, _, name = AZURE_TOKENS.partition(":")
    issuer: TokenIssuer = getattr(importlib.import_module(module), name)(credential)
    return issuer


def _embedded(name: str, settings: EmbeddedSettings, around: Surroundings) -> Opened:
    provider = Embedded(name, settings, socket=around.embedded_socket)
    return Opened(provider=provider, sender=around.http, restarts=True, total_seconds=settings.total_seconds)


def _scripted(name: str, settings: ScriptedSettings, _around: Surroundings) -> Opened:
    provider, most = Scripted(name, settings), settings.connection.total_seconds
    return Opened(provider=provider, sender=ScriptedSender(name, settings), total_seconds=most, by_script=True)


PROVIDERS: Mapping[str, Kind] = {
    "azure_openai": Kind(settings=AzureOpenAISettings, open=over_http(AzureOpenAI)),
    "embedded": Kind(settings=EmbeddedSettings, open=_embedded),
    "openai_compatible": Kind(settings=OpenAICompatibleSettings, open=over_http(OpenAICompatible)),
    "scripted": Kind(settings=ScriptedSettings, open=_scripted),
}

PROVIDER_SETTINGS: Mapping[str, type[ProviderSettings]] = {name: kind.settings for name, kind in PROVIDERS.items()}

STRATEGIES: Mapping[StrategyName, Callable[[AffinitySettings | None], Strategy]] = {
    "priority": lambda _: priority,
    "weighted": lambda _: weighted,
    "least_latency": lambda _: least_latency,
    "least_busy": lambda _: least_busy,
    "session_affinity": session_affinity,
}
"""Ways to choose among the backends of a priority. One of them has to know what a session is known by."""
