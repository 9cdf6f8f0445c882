"""The admin API as commands call it: over HTTP, at a server's address.

It goes where it is told and nowhere else: no proxy is asked and no redirect followed, because the key goes with it.
"""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlencode

import msgspec

from forehearth.cli.output import CommandFailed, Exit
from forehearth.config.problems import ConfigError, Problem
from forehearth.core.errors import Failed, Misconfigured
from forehearth.core.exchange import Header
from forehearth.core.loopback import is_loopback
from forehearth.core.secret import Secret
from forehearth.core.settings import OutboundSettings
from forehearth.core.upstream import Request, Response, Timeouts
from forehearth.identity.key_text import is_mistyped
from forehearth.providers import address
from forehearth.transport.client import HttpClient

_TIMES: Final = Timeouts(connect=5.0, first_byte=30.0, idle=30.0, total=60.0)
_KEY_COMES_FROM = "The key is what --key says, else FOREHEARTH_API_KEY, else keys/development in the data directory."
_NO_ADMIN: Final = "Resource not found."
"""All that a port says which does not have `/admin`. One that has it says what there is."""
_REMEDIES: Final = {
    HTTPStatus.UNAUTHORIZED: _KEY_COMES_FROM,
    HTTPStatus.FORBIDDEN: "It takes the development key, a key made with --admin, or a token whose holder is Owner.",
}


class Unanswered(CommandFailed):
    """Nobody answers there."""


class AdminApi(Protocol):
    """Whoever answers what commands ask."""

    async def call(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None) -> Any:
        """The JSON that is answered; None where there is none. Raises `CommandFailed` for every refusal."""
        ...


class Remote:
    """A server, by its address. `authority` is a file of certificates to trust instead of the system's."""

    def __init__(self, url: str, key: Secret, authority: Path | None = None) -> None:
        _check(key)
        self._url = url.rstrip("/")
        self._key = key
        try:
            self._origin, self._base = address.origin(
                self._url, OutboundSettings(ca_bundle=None if authority is None else str(authority))
            )
        except (Misconfigured, ValueError):
            raise CommandFailed(
                "this is no address of a server: it must be http:// or https://, a host, and perhaps a port",
                "For example --url http://127.0.0.1:8080",
                Exit.USAGE,
            ) from None

    @property
    def is_in_the_clear(self) -> bool:
        """Whether the key goes to another machine for everybody on the way to read."""
        return self._origin.scheme == "http" and not is_loopback(self._origin.host)

    async def call(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None) -> Any:
        """See `AdminApi`."""
        return self._read(await self._sent(method, path, query, body))

    async def fetch(self, path: str, query: Mapping[str, str]) -> bytes:
        """What is answered, as it is. Raises as `call` does."""
        response = await self._sent("GET", path, query, None)
        if response.status != HTTPStatus.OK:
            self._read(response)
        return response.body

    async def _sent(self, method: str, path: str, query: Mapping[str, str] | None, body: object) -> Response:
        headers: list[Header] = [(b"api-key", self._key.reveal().encode()), (b"accept", b"application/json")]
        content = b""
        if body is not None:
            content = msgspec.json.encode(body)
            headers.append((b"content-type", b"application/json"))
        target = f"{self._base}{path}" + (f"?{urlencode(query)}" if query else "")
        request = Request(
            origin=self._origin,
            method=method.encode(),
            target=target.encode(),
            headers=headers,
            body=content,
            timeouts=_TIMES,
        )
        try:
            async with HttpClient() as client:
                response = await client.send(request)
                if response.stream is not None:
                    await response.stream.aclose()
        except Failed as error:
            raise self._unreachable(error) from error
        return response

    def _read(self, response: Response) -> Any:
        if response.status == HTTPStatus.NO_CONTENT:
            return None
        try:
            answer = msgspec.json.decode(response.body)
        except msgspec.DecodeError:
            raise CommandFailed(
                f"{self._url} answered {response.status} and no JSON: is it a Forehearth server?",
                "--url names another one.",
            ) from None
        if response.status < HTTPStatus.MULTIPLE_CHOICES:
            return answer
        raise refusal(response.status, answer)

    def _unreachable(self, error: Failed) -> CommandFailed:
        if "certificate" in error.message:
            return CommandFailed(
                f"the certificate of {self._url} is not trusted",
                "--data-dir names the data directory whose development CA signed it.",
            )
        return Unanswered(
            f"no server answers at {self._url}",
            "Start one, or name another by --url. With --data-dir, a directory is worked in that no server has.",
        )


def refusal(status: int, answer: Any) -> CommandFailed | ConfigError:
    """What a server said no with, as a command says it: of a job that is wrong, all that is."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict) and error.get("details"):
        return ConfigError(_problem(each) for each in error["details"])
    message = error.get("message") if isinstance(error, dict) else None
    if message == _NO_ADMIN:
        remedy = "With server.admin_port, that port alone has it: name it by --url."
        return CommandFailed("what answers there has no /admin", remedy)
    said = str(message or f"the server answered {status}").removesuffix(".")
    return CommandFailed(said, next((words for each, words in _REMEDIES.items() if each == status), ""))


def _problem(told: Mapping[str, str]) -> Problem:
    message, _, hint = told["message"].partition("; ")
    return Problem(file="the job", line=0, column=0, path=told.get("target", ""), message=message, hint=hint)


def _check(key: Secret) -> None:
    text = key.reveal()
    if not text or not all("!" <= character <= "~" for character in text):
        raise CommandFailed("the key has characters that no key has", _KEY_COMES_FROM, Exit.USAGE)
    if is_mistyped(text):
        raise CommandFailed("the key is mistyped: its check sum does not fit", _KEY_COMES_FROM, Exit.USAGE)
