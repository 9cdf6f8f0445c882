"""Keys, in every header form that clients of the surfaces send them.

`api-key: K`, `Authorization: Bearer K`, `x-api-key: K` and `Ocp-Apim-Subscription-Key: K` are accepted everywhere, and
several at once: some clients send the same key twice, others a dummy bearer beside the real `api-key`.
"""

import hashlib
from collections.abc import Mapping

from forehearth.core.errors import NotAuthenticated
from forehearth.core.principal import Principal
from forehearth.core.secret import Secret

_HEADERS = (b"api-key", b"x-api-key", b"ocp-apim-subscription-key")
_BEARER = b"bearer "
_LONGEST = 4_096
_MISSING = (
    "Unauthorized. Access token is missing, invalid, audience is incorrect, or have expired. "
    "Send the key as 'api-key: KEY' or as 'Authorization: Bearer KEY'."
)
_WRONG = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
    "active subscription and use a correct regional API endpoint for your resource."
)


class Keys:
    """The keys that are known here. They are looked up by keyed hash, so time tells nothing about a near miss."""

    def __init__(self, keys: Mapping[str, Secret], *, pepper: bytes) -> None:
        self._pepper = pepper
        self._principals = {
            self._digest(secret.reveal().encode()): Principal(name=name, kind="key") for name, secret in keys.items()
        }

    def identify(self, headers: Mapping[bytes, bytes]) -> Principal:
        """The principal whose key is in `headers` (lower-case names). Raises `NotAuthenticated`."""
        presented = False
        for candidate in _candidates(headers):
            presented = True
            if len(candidate) <= _LONGEST:
                principal = self._principals.get(self._digest(candidate))
                if principal is not None:
                    return principal
        raise NotAuthenticated(_WRONG if presented else _MISSING)

    def _digest(self, key: bytes) -> bytes:
        return hashlib.blake2b(key, key=self._pepper, digest_size=32).digest()


def _candidates(headers: Mapping[bytes, bytes]) -> list[bytes]:
    found = [headers[name] for name in _HEADERS if name in headers]
    bearer = headers.get(b"authorization")
    if bearer is not None and bearer[: len(_BEARER)].lower() == _BEARER:
        found.append(bearer[len(_BEARER) :].strip())
    return [key for key in found if key]
