"""What a host sends back, without the credentials that we have for it, should it repeat one.

Hosts that run in debug modes, proxies in front of them and error messages of all kinds show what they were sent.
Callers get bodies, some headers and streams of backends as they came, so this is where a credential is taken out.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, Self
from urllib.parse import quote

from forehearth.core.exchange import Stream
from forehearth.core.secret import Secret
from forehearth.core.upstream import Request, Response
from forehearth.ports.sender import Sender

SHORTEST: Final = 12
"""A secret with fewer characters is not looked for: such words (`ollama`, `EMPTY`) stand in answers by themselves."""

_MASK: Final = b"***"
_ESCAPED: Final = re.compile(r"[^A-Za-z0-9 ._~-]")
"""Characters that some writers of JSON escape, each its own choice of them."""


class Veil:
    """Sends by another sender, and hides a backend's credentials in what comes back.

    `fixed` are those of the configuration, `issued` has the tokens of now. Other bytes are not touched, and a piece of
    a stream is only held back where it ends within what may become a credential.
    """

    def __init__(self, sender: Sender, fixed: Iterable[Secret], issued: Callable[[], Sequence[Secret]] = tuple) -> None:
        self._sender = sender
        self._fixed = _forms(fixed)
        self._issued = issued
        self._tokens: Sequence[Secret] = ()
        self._forms = self._fixed

    async def send(self, request: Request) -> Response:
        """See `ports.sender`."""
        forms = self._known()
        response = await self._sender.send(request)
        headers, body, stream = response.headers, response.body, response.stream
        if stream is not None:
            stream = _Veiled(stream, forms)
        elif not _has(body, forms) and not _has(b"\n".join(headers.values()), forms):
            return response
        headers = {name: _hidden(value, forms) for name, value in headers.items()}
        return Response(status=response.status, headers=headers, body=_hidden(body, forms), stream=stream)

    def _known(self) -> Sequence[bytes]:
        tokens = self._issued()
        if tokens is not self._tokens:
            self._tokens = tokens
            self._forms = (*self._fixed, *_forms(tokens))
        return self._forms


class _Veiled:
    """A stream without credentials, also where one begins in one piece and ends in another."""

    __slots__ = ("_forms", "_held", "_letters", "_stream")

    def __init__(self, stream: Stream, forms: Sequence[bytes]) -> None:
        self._stream = stream
        self._forms = forms
        self._letters = frozenset(b"".join(forms))
        self._held = b""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while True:
            try:
                piece = await self._stream.__anext__()
            except StopAsyncIteration:
                piece, self._held = self._held, b""
                if piece:
                    return piece
                raise
            if self._held:
                piece = self._held + piece
            if _has(piece, self._forms):
                piece = _hidden(piece, self._forms)
            begun = 0
            # Events end with a line, which no credential has: mostly that is all there is to do.
            if piece and piece[-1] in self._letters:
                begun = max(_begun(piece, form) for form in self._forms)
            self._held = piece[len(piece) - begun :] if begun else b""
            if len(piece) > begun:
                return piece[: len(piece) - begun] if begun else piece

    async def aclose(self) -> None:
        """See `core.exchange.Stream`."""
        await self._stream.aclose()


def _forms(secrets: Iterable[Secret]) -> tuple[bytes, ...]:
    """The secrets as they may be written: as they are, in JSON, and percent-encoded; the longest first."""
    written: set[str] = set()
    for secret in secrets:
        text = secret.reveal()
        if len(text) >= SHORTEST:
            in_json = json.dumps(text)[1:-1]
            numbered = [_ESCAPED.sub(partial(_numbered, form), text) for form in ("\\u%04x", "\\u%04X")]
            written.update((text, in_json, in_json.replace("/", "\\/"), quote(text, safe=""), *numbered))
    return tuple(sorted((each.encode() for each in written), key=lambda form: (-len(form), form)))


def _numbered(form: str, found: re.Match[str]) -> str:
    return form % ord(found[0])


def _has(text: bytes, forms: Sequence[bytes]) -> bool:
    for form in forms:  # noqa: SIM110 - half the time of any(), for every answer
        if form in text:
            return True
    return False


def _hidden(text: bytes, forms: Sequence[bytes]) -> bytes:
    for form in forms:
        if form in text:
            text = text.replace(form, _MASK)
    return text


def _begun(text: bytes, form: bytes) -> int:
    """How many bytes at the end of `text` are the beginning of `form`."""
    at = text.find(form[:1], max(0, len(text) - len(form) + 1))
    while at >= 0:
        if form.startswith(text[at:]):
            return len(text) - at
        at = text.find(form[:1], at + 1)
    return 0
