"""A request to an address that a caller named: an image, a file, an MCP server, an OpenAPI tool."""

from collections.abc import Sequence
from typing import Final

import msgspec

from forehearth.core.exchange import Header
from forehearth.core.secret import Secret
from forehearth.core.upstream import Timeouts

EGRESS_TIMEOUTS: Final = Timeouts(connect=5.0, first_byte=30.0, idle=30.0, total=60.0)
MOST_REDIRECTS: Final = 3


class EgressRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `host`, `content-length` and `connection` are not the caller's to set; no credential is ours."""

    url: str
    method: bytes = b"GET"
    headers: Sequence[Header] = ()
    """Names in lower case."""
    secrets: Sequence[tuple[bytes, Secret]] = ()
    """Further headers, whose values nobody may see: the caller's own credentials for that address."""
    body: bytes = b""
    most_bytes: int = 16 * 1024 * 1024
    """Bytes of the answer's body, streams included; one more ends it."""
    timeouts: Timeouts = EGRESS_TIMEOUTS
    """Redirects and their answers are within them."""
    redirects: int = MOST_REDIRECTS
    """How many may be followed; never more than `MOST_REDIRECTS`."""
    param: str | None = None
    """The member of the call that has the URL, for errors: `tools[0].server_url`."""
