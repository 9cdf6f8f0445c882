"""The secret that the managed-identity endpoint wants: it says which person asks, so the server remembers nobody.

    header = name "." BASE64URL(HMAC-SHA256(secret of the installation, purpose name))

Whoever can read the installation's secret can write it for every person; nobody else can for any.
"""

import base64
import hashlib
import hmac

from forehearth.core.secret import Secret

_PURPOSE = b"forehearth.development.person\0"
_LONGEST = 256


def header_of(secret: Secret, name: str) -> Secret:
    """What the person of that name sends."""
    return Secret(f"{name}.{_seal(secret, name)}")


def name_in(secret: Secret, header: str) -> str | None:
    """Whose header this is; None when it was not made with this secret. Compared in constant time."""
    name, _, seal = header[:_LONGEST].rpartition(".")
    genuine = hmac.compare_digest(_seal(secret, name).encode(), seal.encode())
    return name if genuine and name and len(header) <= _LONGEST else None


def _seal(secret: Secret, name: str) -> str:
    sealed = hmac.digest(secret.reveal().encode(), _PURPOSE + name.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
