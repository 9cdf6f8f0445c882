"""Tokens of Microsoft Entra ID, by azure-identity: a library that dials by itself, which only this file imports.

It asks the authority, or the endpoint that the machine has for its identity, and sends nothing to a backend. It reads
the environment itself, as it does in every program: `AZURE_*`, `IDENTITY_ENDPOINT` and their like for managed and
workload identities, and for the way `HTTPS_PROXY`, `NO_PROXY` and `REQUESTS_CA_BUNDLE`. A new client of it is made for
each token and closed again: what it keeps by itself would hand out the same token until five minutes before its end.

It is an extra, so this file is imported where a credential is configured, and not before.
"""

import asyncio
import contextlib
import logging
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from forehearth.core.errors import Misconfigured
from forehearth.core.secret import Secret
from forehearth.ports.token_source import NoToken, Token
from forehearth.providers.credentials import CredentialSettings

try:
    import azure.identity as library
    from azure.core.credentials import SupportsTokenInfo
    from azure.core.exceptions import AzureError, ClientAuthenticationError, ServiceRequestError, ServiceResponseError
except ImportError as error:
    raise Misconfigured(
        f"A backend has a credential, and azure-identity cannot be loaded ({error}): pip install 'forehearth[azure]'."
    ) from error

_LONGEST: Final = 120.0
"""Seconds to wait for a token; so long the library may try hosts and developer's tools, one after the other."""
_CODE: Final = re.compile(r"\bAADSTS[0-9]{2,9}\b")
_DEEPEST: Final = 8


class AzureTokens:
    """The `TokenIssuer` of one credential. Its library waits in a thread of its own, one at a time.

    The thread is a daemon: whatever it waits for, the process ends without it.
    """

    def __init__(self, settings: CredentialSettings) -> None:
        self._settings = settings
        self._thread: threading.Thread | None = None
        for name in ("azure", "msal"):
            # They log what issuers answer, with ids of the tenant, and at `debug` whole payloads. We log what matters.
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        try:
            with self._opened():
                pass
        except (AzureError, ValueError, OSError) as error:
            raise Misconfigured(f"A credential of the kind {settings.kind} {_REMEDIES[settings.kind]}.") from error

    async def fetch(self) -> Token:
        """See `ports.token_source`."""
        if self._thread is not None and self._thread.is_alive():
            raise NoToken("the last attempt has not ended yet")
        loop = asyncio.get_running_loop()
        token: asyncio.Future[Token] = loop.create_future()

        def settle(found: Token | Exception) -> None:
            if token.done():
                return
            if isinstance(found, Exception):
                token.set_exception(found)
            else:
                token.set_result(found)

        def work() -> None:
            found = self._asked()
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, found)

        self._thread = threading.Thread(target=work, name="token", daemon=True)
        self._thread.start()
        try:
            async with asyncio.timeout(_LONGEST):
                return await token
        except TimeoutError:
            raise NoToken(f"no answer within {_LONGEST:.0f} s") from None

    def _asked(self) -> Token | Exception:
        """In the thread: a new token, or why there is none."""
        try:
            with self._opened() as credential:
                given = credential.get_token_info(self._settings.scope)
        except Exception as error:  # noqa: BLE001 - the border of the thread
            return NoToken(_reason(error))
        refresh = None if given.refresh_on is None else float(given.refresh_on)
        return Token(secret=Secret(given.token), expires=float(given.expires_on), refresh=refresh)

    def _opened(self) -> SupportsTokenInfo:
        # The keeper tries again by itself, so the library needs little patience.
        return _KINDS[self._settings.kind](
            self._settings, {"connection_timeout": 5, "read_timeout": 20, "retry_total": 1}
        )


def _reason(error: BaseException) -> str:
    """Why there is no token, without anything that the issuer wrote but the number of its error."""
    causes = [error]
    while len(causes) < _DEEPEST and causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    if any(isinstance(each, ServiceRequestError | ServiceResponseError) for each in causes):
        return "the issuer cannot be reached"
    code = next((found[0] for each in causes if (found := _CODE.search(str(each)))), None)
    if code is not None:
        return f"the issuer refused with {code}"
    if isinstance(error, library.CredentialUnavailableError):
        return "this machine has no such identity, or its endpoint does not answer"
    if isinstance(error, ClientAuthenticationError):
        return "the issuer refused"
    return type(error).__name__


Way = dict[str, Any]
"""How the library goes about a request: its own options."""


def _authority(settings: CredentialSettings) -> Way:
    """The authority that the operator named, if any. The library is not to ask Microsoft whether it is known."""
    if settings.authority is None:
        return {}
    return {"authority": settings.authority, "disable_instance_discovery": True}


def _secret(settings: CredentialSettings, way: Way) -> SupportsTokenInfo:
    tenant, client_id, secret = settings.tenant or "", settings.client_id or "", settings.client_secret
    return library.ClientSecretCredential(
        tenant, client_id, secret.reveal() if secret else "", **way, **_authority(settings)
    )


def _certificate(settings: CredentialSettings, way: Way) -> SupportsTokenInfo:
    password = settings.certificate_password
    return library.CertificateCredential(
        settings.tenant or "",
        settings.client_id or "",
        settings.certificate,
        password=password.reveal() if password else None,
        **way,
        **_authority(settings),
    )


def _managed(settings: CredentialSettings, way: Way) -> SupportsTokenInfo:
    return library.ManagedIdentityCredential(client_id=settings.client_id, **way)


def _workload(settings: CredentialSettings, way: Way) -> SupportsTokenInfo:
    return library.WorkloadIdentityCredential(
        tenant_id=settings.tenant,
        client_id=settings.client_id,
        token_file_path=settings.token_file,
        **way,
        **_authority(settings),
    )


def _default(settings: CredentialSettings, way: Way) -> SupportsTokenInfo:
    chosen = {} if settings.client_id is None else {"managed_identity_client_id": settings.client_id}
    return library.DefaultAzureCredential(**chosen, **way, **_authority(settings))


_KINDS: Final[Mapping[str, Callable[[CredentialSettings, Way], SupportsTokenInfo]]] = {
    "client_secret": _secret,
    "client_certificate": _certificate,
    "managed_identity": _managed,
    "workload_identity": _workload,
    "default": _default,
}
_REMEDIES: Final[Mapping[str, str]] = {
    "client_secret": "cannot be used: look at its tenant, client_id and authority",
    "client_certificate": "cannot be used: its file must hold a certificate and its RSA key, and fit the password",
    "managed_identity": "cannot be used: look at client_id and the variables that the machine sets for its identity",
    "workload_identity": (
        "lacks something: give tenant, client_id and token_file, "
        "or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE"
    ),
    "default": "cannot be used: look at the variables AZURE_*, such as AZURE_TOKEN_CREDENTIALS",
}
