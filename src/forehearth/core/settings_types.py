"""The kinds of value that the configuration is made of.

What a type says is checked when the file is read, and so is what its `Meta(extra=…)` says:

    "required"   the key must be in the file, although code may leave it to its default
    "usual"      the key that a value alone is meant for, where no key is required
    "file"       a path of a file that must exist; a relative one is taken from the configuration file's folder
    "url"        the address of a host or of one document there: http or https, a host, no user
    "proxy"      the same, or the word `none`
"""

from typing import Annotated

import msgspec

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Bytes = Annotated[int, msgspec.Meta(ge=1)]
Name = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        description="a name of at most 128 letters, digits, '.', '_' and '-', beginning with a letter or a digit",
    ),
]
Text = Annotated[str, msgspec.Meta(min_length=1)]
Host = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)$",
        max_length=253,
        description="a host name or an IP address, without a port",
    ),
]
PathPrefix = Annotated[
    str,
    msgspec.Meta(
        pattern=(
            r"^(?!/(openai|models|api|openapi|admin|health|metrics|chat|embeddings|images|info"
            r"|dev-issuer|metadata|adfs|organizations|common)(/|$))(/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,63}){1,8}$"
        ),
        description="a path such as /team-a, without a slash at its end, that begins as none of the server's own does",
    ),
]
KeyHeader = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?!(?i:host|content-.*|transfer-encoding|connection|authorization)$)[A-Za-z][A-Za-z0-9-]{0,63}$",
        description="the name of a header of letters, digits and '-', that HTTP does not need itself",
    ),
]
FilePath = Annotated[
    str, msgspec.Meta(min_length=1, extra={"file": True}, description="the path of a file that exists")
]
HttpUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$", extra={"url": True}, description="an http:// or https:// URL"
    ),
]
DocumentUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?(\?[^\s#]*)?$",
        extra={"url": True},
        description="an http:// or https:// URL, its query included",
    ),
]
ProxyUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(none|https?://[^\s/?#@]+/?)$",
        extra={"proxy": True},
        description="a proxy as http://HOST:PORT, or the word none",
    ),
]


class Unfit(ValueError):
    """Raised by a `__post_init__`: members that are right by themselves do not fit together.

    `member` is the key to look at, and `hint` what to do about it, where that is known.
    """

    def __init__(self, message: str, *, member: str | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.member = member
        self.hint = hint


class Values(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every part of the configuration is: frozen, named, and strict about unknown keys."""
