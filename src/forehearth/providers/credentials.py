"""What a backend lets us in by, where it is no key: an identity of Microsoft Entra ID, and the header of its token."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec

from forehearth.core.errors import Unreachable
from forehearth.core.exchange import Header
from forehearth.core.loopback import is_loopback
from forehearth.core.secret import Secret
from forehearth.core.settings import OutboundSettings
from forehearth.core.settings_types import FilePath, HttpUrl, Text, Unfit, Values
from forehearth.ports.token_source import TokenSource

Tenant = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9.-]{1,253}$", description="the id of a directory, or one of its domains")
]
Scope = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:/-]{1,500}$", description="a scope, such as https://RESOURCE/.default")
]

_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "client_secret": ("tenant", "client_id", "client_secret"),
    "client_certificate": ("tenant", "client_id", "certificate"),
    "managed_identity": (),
    "workload_identity": (),
    "default": (),
}
_POSSIBLE: Final[Mapping[str, tuple[str, ...]]] = {
    "client_secret": ("authority",),
    "client_certificate": ("certificate_password", "authority"),
    "managed_identity": ("client_id",),
    "workload_identity": ("tenant", "client_id", "token_file", "authority"),
    "default": ("client_id", "authority"),
}
_MEMBERS: Final = (
    "tenant",
    "client_id",
    "client_secret",
    "certificate",
    "certificate_password",
    "token_file",
    "authority",
)


class CredentialSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An identity of Microsoft Entra ID. The server fetches and renews its tokens; that needs `forehearth[azure]`."""

    kind: Literal["client_secret", "client_certificate", "managed_identity", "workload_identity", "default"]
    """Which form the identity has. `default` tries all that the environment offers, down to who is signed in to the
    Azure CLI: for a developer's machine."""
    tenant: Tenant | None = None
    """The directory of the application; `AZURE_TENANT_ID` for `workload_identity`, unless given."""
    client_id: Text | None = None
    """The id of the application or of the user-assigned identity; `AZURE_CLIENT_ID` for `workload_identity`, unless
    given."""
    client_secret: Secret | None = None
    """For `client_secret`: the application's secret."""
    certificate: FilePath | None = None
    """For `client_certificate`: a file, PEM or PKCS #12, with the certificate and its RSA key."""
    certificate_password: Secret | None = None
    """What that file's key is encrypted with."""
    token_file: FilePath | None = None
    """For `workload_identity`: the file with the service account's token; `AZURE_FEDERATED_TOKEN_FILE`, unless
    given."""
    scope: Scope = "https://cognitiveservices.azure.com/.default"
    """What the tokens are for."""
    authority: HttpUrl | None = None
    """Where tokens are issued, over https; the public cloud's, unless given. Sovereign clouds have others."""

    def __post_init__(self) -> None:
        """Refuse members that are another kind's, and kinds without what they need. Raises `Unfit`."""
        needed, possible = _NEEDED[self.kind], _POSSIBLE[self.kind]
        for member in _MEMBERS:
            given = getattr(self, member) is not None
            if given and member not in (*needed, *possible):
                raise Unfit(f"a credential of the kind {self.kind} has no {member}", member=member, hint="leave it out")
            if not given and member in needed:
                raise Unfit(f"a credential of the kind {self.kind} needs {member}", hint=f"add the key {member}")
        if self.authority is not None and not self.authority.startswith("https://"):
            raise Unfit("secrets are sent to the authority, and only over https", member="authority")


def check_one(api_key: Secret | None, credential: CredentialSettings | None) -> None:
    """Refuse a key beside a credential. Raises `Unfit`."""
    if api_key is not None and credential is not None:
        hint = "leave one of the two out"
        raise Unfit("there is a credential beside api_key, and a backend has one", member="credential", hint=hint)


def check_origin(url: str, connection: OutboundSettings) -> None:
    """Refuse to send tokens to `url` where others could read them. Raises `Unfit`."""
    parts = urlsplit(url)
    if parts.scheme != "http":
        return
    if not is_loopback(parts.hostname or ""):
        hint = "write https://, or give the host a certificate"
        raise Unfit("a token would travel in clear text over http", member="credential", hint=hint)
    if connection.proxy not in (None, "none"):
        hint = "leave connection.proxy out"
        raise Unfit("a token for http would travel to the proxy in clear text", member="credential", hint=hint)


class Bearer:
    """The header that one backend's token travels in."""

    __slots__ = ("_backend", "_header", "_token", "_tokens")

    def __init__(self, backend: str, tokens: TokenSource) -> None:
        self._backend = backend
        self._tokens = tokens
        self._token: Secret | None = None
        self._header: Header = (b"authorization", b"")

    def header(self) -> Header:
        """With the token as it is now. Raises `Unreachable`, which names the backend for the log."""
        try:
            token = self._tokens.current()
        except Unreachable as error:
            raise Unreachable(error.message, backend=self._backend, retry_after=error.retry_after) from error
        if token is not self._token:
            self._token = token
            self._header = (b"authorization", b"Bearer " + token.reveal().encode())
        return self._header
