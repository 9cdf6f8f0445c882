"""One call to a model, after its surface was recognised and its body parsed, once."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from forehearth.core.principal import Principal


class Operation(StrEnum):
    """What is asked of a model."""

    CHAT = "chat_completions"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked. The raw body is kept, so that what nobody here knows still reaches the backend."""

    request_id: str
    surface: str
    """Which surface it came in by: `foundry_models`, `openai_v1`, `azure_deployments` or `projects`."""
    operation: Operation
    name: str
    """The deployment or route asked for, by path or by the body's `model`."""
    body: bytes
    """The body as the client sent it, but for members that its surface told us to drop."""
    model_in_body: str | None = None
    """The body's own `model`; on a classic path it decides nothing."""
    has_model_member: bool = False
    """Whether the body has such a member at all, if only null."""
    stream: bool = False
    project: str = ""
    """The project whose path it came in by; empty on the resource's own paths."""
    principal: Principal
    forward: Mapping[bytes, bytes] = {}
    """Request headers that are handed on to backends: named ones only, never a credential."""
    started: float
    """When the head arrived, on the monotonic clock."""
