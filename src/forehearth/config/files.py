"""Values that name something outside the file: paths of files and addresses of hosts."""

import re
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from forehearth.config.problems import printable

_PROXY_REMEDY: Final = "leave `proxy` out and set HTTPS_PROXY, with user and password, in the environment"


class Unusable(Exception):
    """The value has the right form, and still cannot be used."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def existing(name: str, folder: Path) -> str:
    """The absolute path of a file that is there and can be read. Raises `Unusable`."""
    path = folder / name
    hint = "a relative path begins at the folder of the configuration file" if not Path(name).is_absolute() else ""
    try:
        if path.is_dir():
            raise Unusable(f"{printable(str(path))} is a folder, not a file")
        with path.open("rb"):
            return str(path.absolute())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise Unusable(f"the file {printable(str(path))} cannot be read: {reason}", hint) from None


def certificate(name: str, key: str) -> None:
    """Check that two files are a certificate and its private key. Raises `Unusable`; `OSError` for one not there."""
    try:
        # An empty password, so that an encrypted key is an error and not a question on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(name, key, password="")
    except ssl.SSLError as error:
        hint = "both are text in PEM, which begins with -----BEGIN; an encrypted private key cannot be read"
        if error.reason == "KEY_VALUES_MISMATCH":
            hint = "the private key belongs to another certificate"
        raise Unusable(f"this and {key} are not a certificate and its key", hint) from None


def no_user(url: str, *, proxy: bool = False) -> None:
    """Refuse user and password in an address, without showing them. Raises `Unusable`."""
    if re.match(r"[^/?#]*(://)?[^/?#]*@", url):
        remedy = _PROXY_REMEDY if proxy else "give the credential by `api_key`"
        raise Unusable("an address may have no user or password in it", remedy)


def address(url: str) -> None:
    """Check that an address of the right form can be one. Raises `Unusable`."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise Unusable("the address has an impossible port or host", "write http://HOST:PORT") from None
    if port == 0 or not host:
        raise Unusable("the address has an impossible port or host", "write http://HOST:PORT")
