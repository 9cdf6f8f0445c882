"""A call that was refused because of who calls, as the audit log is told of it."""

import msgspec

from forehearth.core.principal import Principal


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of it. It has nothing of the credential."""

    request_id: str
    resource: str
    project: str = ""
    deployment: str = ""
    """The deployment that the path names; nothing of a body is read for somebody who is refused."""
    operation: str
    """The surface and the endpoint, such as `openai_v1.chat_completions`; for other paths the surface alone."""
    principal: Principal | None
    """Who it was; None where nobody is known by what was sent."""
    address: str
    """Where the connection is from; empty on a Unix socket."""
    status: int
    reason: str
    """What the caller was told."""
