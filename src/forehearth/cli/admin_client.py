"""The admin API as commands call it: over HTTP, at a server's address.

It goes where it is told and nowhere else: no proxy is asked and no redirect followed, because the key goes with it.
"""

import http.client
import ipaddress
import json
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlencode, urlsplit

from forehearth.cli.output import CommandFailed, Exit
from forehearth.core.secret import Secret
from forehearth.identity.key_text import is_mistyped

SECONDS: Final = 30.0
"""How long one step of an exchange may take."""
_LONGEST = 16 * 1024 * 1024
_NO_CONTENT = 204
_FIRST_ERROR = 300
_REMEDIES: Final = {
    401: "The key is what --key says, else FOREHEARTH_API_KEY, else keys/development in the data directory.",
    403: "It takes the development key, a key made with --admin, or a token whose holder is Owner.",
}

Connect = Callable[[], http.client.HTTPConnection]


class AdminApi(Protocol):
    """Whoever answers what commands ask."""

    async def call(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None) -> Any:
        """The JSON that is answered; None where there is none. Raises `CommandFailed` for every refusal."""
        ...


class Remote:
    """A server, by its address. `authority` is a certificate to trust besides the system's."""

    def __init__(self, url: str, key: Secret, authority: Path | None = None) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._authority = authority
        _check(key)
        self._connect, self._base = self._way()

    @property
    def in_the_clear(self) -> bool:
        """Whether the key goes to another machine for everybody on the way to read."""
        parts = urlsplit(self._url)
        return parts.scheme == "http" and not _is_here(parts.hostname or "")

    async def call(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None) -> Any:
        """See `AdminApi`. Nothing else is to be done meanwhile, so it simply waits."""
        target = f"{self._base}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"api-key": self._key.reveal(), "accept": "application/json"}
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers["content-type"] = "application/json"
        connection = self._connect()
        try:
            connection.request(method, target, content, headers)
            answer = connection.getresponse()
            status, text = answer.status, answer.read(_LONGEST)
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()
        if status == _NO_CONTENT:
            return None
        return self._read(status, text)

    def _way(self) -> tuple[Connect, str]:
        """How to connect, and the path before ours."""
        try:
            parts = urlsplit(self._url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if not host or parts.scheme not in {"http", "https"} or parts.username or parts.query or parts.fragment:
            raise CommandFailed(
                "this is no address of a server: it must be http:// or https://, a host, and perhaps a port",
                "for example --url http://127.0.0.1:8080",
                Exit.USAGE,
            )
        if parts.scheme == "http":
            return lambda: http.client.HTTPConnection(host, port, timeout=SECONDS), parts.path
        context = self._context()
        return lambda: http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context), parts.path

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._authority is not None and self._authority.exists():
            context.load_verify_locations(self._authority)
        return context

    def _read(self, status: int, text: bytes) -> Any:
        try:
            answer = json.loads(text)
        except ValueError:
            raise CommandFailed(
                f"{self._url} answered {status} and no JSON: is it a Forehearth server?", "--url names another one"
            ) from None
        if status < _FIRST_ERROR:
            return answer
        raise refusal(status, answer)

    def _unreachable(self, error: Exception) -> CommandFailed:
        if isinstance(error, ssl.SSLCertVerificationError):
            return CommandFailed(
                f"the certificate of {self._url} is not trusted: {error.verify_message}",
                "--data-dir names the data directory whose development CA signed it",
            )
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        return CommandFailed(
            f"no server answers at {self._url}: {reason}",
            "Start one, or name another by --url. With --data-dir, a directory is worked in that no server has.",
        )


def refusal(status: int, answer: Any) -> CommandFailed:
    """What a server said no with, as a command says it."""
    error = answer.get("error") if isinstance(answer, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return CommandFailed(str(message or f"the server answered {status}"), _REMEDIES.get(status, ""))


def _check(key: Secret) -> None:
    text = key.reveal()
    if not text or not all("!" <= character <= "~" for character in text):
        raise CommandFailed("the key has characters that no key has", _REMEDIES[401], Exit.USAGE)
    if is_mistyped(text):
        raise CommandFailed("the key is mistyped: its check sum does not fit", _REMEDIES[401], Exit.USAGE)


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
