"""What issuers of tokens are known by, and where their keys may come from."""

from typing import Final
from urllib.parse import urlsplit

ENTRA: Final = "entra"
"""The name of Microsoft Entra ID, as assignments know it."""
DEVELOPMENT: Final = "development"
"""The name of the development issuer."""

_V1 = "https://sts.windows.net/{tenant}/"
_V1_OF_CHINA = "https://sts.chinacloudapi.cn/{tenant}/"
_AUTHORITIES_OF_CHINA = frozenset({"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"})
_V2 = "{authority}/{tenant}/v2.0"
_THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})


def entra_issuers(authority: str, tenant: str) -> tuple[str, str]:
    """What a directory's tokens have as `iss`: in the form v1, and in the form v2. `authority` is a URL."""
    v1 = _V1_OF_CHINA if urlsplit(authority).hostname in _AUTHORITIES_OF_CHINA else _V1
    return v1.format(tenant=tenant.lower()), _V2.format(authority=authority.rstrip("/"), tenant=tenant.lower())


def is_safe(url: str) -> bool:
    """Whether keys that come from there are its owner's: over https, or from this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _THIS_MACHINE)
