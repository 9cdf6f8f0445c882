"""What the configuration says of where calls go: deployments' pools of backends, and routes that choose deployments."""

from typing import Annotated, Literal

import msgspec

from forehearth.core.settings_types import Name, Seconds, Text, Unfit, Values

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]
HeaderName = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$", description="the name of a header")
]
Capability = Literal["tools", "json_schema", "vision", "stream"]
StrategyName = Literal["priority", "weighted", "least_latency", "least_busy", "session_affinity"]


class BackendLimits(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a backend can take. A call that would be too much for it goes to another one.

    All workers of a server count together.
    """

    requests_per_minute: Count | None = None
    """Calls in any 60 seconds."""
    tokens_per_minute: Count | None = None
    """Tokens in any 60 seconds: what a call may use until it is known what it used."""
    concurrent_calls: Count | None = None
    """Calls at the same time, streams included."""


class AffinitySettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `session_affinity` knows a session by. One of the two; calls without it go by weight."""

    header: HeaderName | None = None
    """A header of the request, such as `x-session-id`."""
    member: Literal["user", "prompt_cache_key", "safety_identifier"] | None = None
    """A member of the body."""

    def __post_init__(self) -> None:
        """Refuse none and both. Raises `Unfit`."""
        if (self.header is None) == (self.member is None):
            raise Unfit("a session is known by a header or by a member", hint="write one of the two keys")


class RetrySettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often another backend is asked after one failed, always before the first byte of an answer went out."""

    share: Share = 0.2
    """Further tries at hosts, as a share of the calls of the last 10 seconds."""
    at_least: Annotated[int, msgspec.Meta(ge=0)] = 3
    """So many a second, over the same 10 seconds, are allowed however few calls there are."""
    attempts: Count | None = None
    """Tries of one call, the first one included; as many as there are backends, unless given."""


class HealthSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a backend is left out because its answers say that it is ill, or that it wants to be left alone."""

    failures: Count = 3
    """So many failures eject it; each success makes up for a quarter of one."""
    base_seconds: Seconds = 5.0
    """How long it is left out for the first time; twice as long each time after that."""
    most_seconds: Seconds = 300.0
    """The longest that it is left out at a time."""
    largest_share: Share = 0.5
    """No more of the deployment's backends than this share are ejected at a time; further ones are asked last."""
    obey_seconds: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    """How long a host's own wish to be left alone is obeyed (`retry-after`, or nothing left of a limit); 0: not at
    all."""


class RouteCondition(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which calls a rule is for: every condition that is given must hold."""

    prompt_tokens_over: Count | None = None
    """The prompt has more tokens, estimated from its length."""
    prompt_tokens_under: Count | None = None
    """The prompt has fewer tokens, estimated from its length."""
    asks_for: tuple[Capability, ...] = ()
    """All of these are asked for: `tools`, `json_schema`, `vision`, `stream`."""
    headers: dict[HeaderName, Text] = {}
    """All of these headers are there with just this value."""


class RouteRule(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule of a route: calls of a kind, and the deployment for them."""

    when: RouteCondition
    """The calls that it is for."""
    deployment: Name | None = None
    """A name under `deployments`."""
    deployments: tuple[Name, ...] = ()
    """Several, instead: the next one answers when the one before cannot."""

    def __post_init__(self) -> None:
        """Refuse a rule without a deployment, and one that is for every call. Raises `Unfit`."""
        check_target(self.deployment, self.deployments)
        if self.when == RouteCondition():
            raise Unfit("this rule is for every call", member="when", hint="give a condition, or leave the rule out")

    @property
    def chain(self) -> tuple[str, ...]:
        """The deployments in the order in which they are asked."""
        return self.deployments or (self.deployment or "",)


class RouteSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name that stands for a deployment, or for a choice among several."""

    deployment: Annotated[Name | None, msgspec.Meta(extra={"usual": True})] = None
    """A name under `deployments`."""
    deployments: tuple[Name, ...] = ()
    """Several, instead: the next one answers when all backends of the one before are down or busy."""
    rules: tuple[RouteRule, ...] = ()
    """Looked at first, in this order: the first one that fits a call chooses for it."""

    def __post_init__(self) -> None:
        """Refuse a route without a deployment. Raises `Unfit`."""
        check_target(self.deployment, self.deployments)

    @property
    def chain(self) -> tuple[str, ...]:
        """The deployments, in their order, for calls that no rule is for."""
        return self.deployments or (self.deployment or "",)


def check_target(deployment: str | None, deployments: tuple[str, ...]) -> None:
    """Refuse neither, both, and the same one twice. Raises `Unfit`."""
    if deployment is None and not deployments:
        raise Unfit("the key 'deployment' is missing", hint="deployment: A name under `deployments`.")
    if deployment is not None and deployments:
        hint = "leave one of the two out"
        raise Unfit("there is deployment beside deployments, and a call goes one way", member="deployment", hint=hint)
    twice = next((name for name in deployments if deployments.count(name) > 1), None)
    if twice is not None:
        raise Unfit(f"{twice!r} is there more than once", member="deployments", hint="leave it out once")
