"""What the configuration says of caches: which answers of a deployment are given again, to whom, and for how long."""

from typing import Annotated, Literal

import msgspec

from forehearth.core.routing_settings import Count
from forehearth.core.settings_types import Bytes, Name, Seconds, Unfit, Values

VaryBy = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(key|project|header:[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100})$",
        description="`key`, `project` or `header:NAME`",
    ),
]


class ExactCacheSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same request has the same answer again."""

    ttl_seconds: Seconds = 3_600.0
    """For so many seconds."""


class SemanticCacheSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A last message that asks the same in other words has the answer of the one before. Chat completions only."""

    mode: Literal["off", "shadow", "on"] = "shadow"
    """`on` gives the answer; `shadow` asks the backend all the same, and only tells and counts what would have been
    given; `off` does neither."""
    embeddings: Name
    """The deployment that makes vectors of messages, one of the same resource."""
    score_threshold: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    """How far apart two messages may be: 0 is the same, 1 has nothing in common (one minus the cosine of the angle
    between their vectors). As in API Management, lower values are stricter."""
    ignore_system_messages: bool = False
    """Whether system and developer messages may differ. They may decide what the right answer is."""
    max_message_count: Count | None = None
    """In a conversation of more messages than these the semantic cache is not asked."""
    ttl_seconds: Seconds = 3_600.0
    """How long an answer is given again."""
    embedding_seconds: Seconds = 1.0
    """How long the vector of a message is waited for. Without one, the call goes on without the semantic cache."""


class CacheSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answers that are given again, from the memory of each worker. What is not asked for here is not kept."""

    exact: ExactCacheSettings | None = None
    """Answers to the same request."""
    semantic: SemanticCacheSettings | None = None
    """Answers to a message that asks the same."""
    vary_by: tuple[VaryBy, ...] = ("key",)
    """Who shares answers, besides being in the same project: only calls that have all of these alike. `key` is the
    caller: a key, user or application; `header:NAME` is that header's value. An empty list: all of a project."""
    max_temperature: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    """A call that asks for a higher `temperature` wants to be surprised: it is neither answered from here nor kept."""
    entries: Count = 10_000
    """Answers that one worker keeps of this deployment; the one that was used longest ago makes room."""
    bytes: Bytes = 64 * 1024 * 1024
    """Bytes that they may take together, about."""

    def __post_init__(self) -> None:
        """Refuse a cache that keeps nothing. Raises `Unfit`."""
        if self.exact is None and self.semantic is None:
            raise Unfit(
                "this cache has neither exact nor semantic", hint="write exact: {} or semantic: {embeddings: …}"
            )
