"""What a host sends back, without the credentials that we have for it, should it repeat one.

Hosts that run in debug modes, proxies in front of them and error messages of all kinds show what they were sent.
Callers get bodies, some headers and streams of backends as they came, so this is where a credential is taken out.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final
from urllib.parse import quote

from forehearth.core.exchange import Stream
from forehearth.core.secret import Secret
from forehearth.core.tap import Tap
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
        self._fixed = tuple(fixed)
        self._issued = issued
        self._tokens: Sequence[Secret] = ()
        self._hidden = _Hidden(self._fixed)

    async def send(self, request: Request) -> Response:
        """See `ports.sender`."""
        hidden = self._known()
        response = await self._sender.send(request)
        headers, body, stream = response.headers, response.body, response.stream
        if hidden.are_in(b"\n".join(headers.values())):
            headers = {name: hidden.taken_out(value) for name, value in headers.items()}
        elif stream is None and not hidden.are_in(body):
            return response
        if stream is not None:
            stream = _Veiled(stream, hidden)
        return Response(status=response.status, headers=headers, body=hidden.taken_out(body), stream=stream)

    def _known(self) -> "_Hidden":
        tokens = self._issued()
        if tokens is not self._tokens:
            self._tokens = tokens
            self._hidden = _Hidden((*self._fixed, *tokens))
        return self._hidden


class _Hidden:
    """Secrets in every form that they may be written in: as they are, in JSON, and percent-encoded."""

    __slots__ = ("_forms", "_letters")

    def __init__(self, secrets: Iterable[Secret]) -> None:
        forms = {form.encode() for secret in secrets for form in _forms(secret.reveal())}
        self._forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        self._letters = frozenset(b"".join(forms))

    def are_in(self, text: bytes) -> bool:
        """Whether there is one in `text`."""
        # `in` would first ask whether `form` is a number, which takes longer than to look for it.
        for form in self._forms:  # noqa: SIM110 - half the time of any(), for every piece of every answer
            if text.find(form) >= 0:
                return True
        return False

    def is_free_of(self, text: bytes) -> bool:
        """Whether `text` has neither one nor, at its end, what may be the beginning of one."""
        # Events end with a line, which no credential has: mostly that is all there is to look at.
        return not self.are_in(text) and (not text or text[-1] not in self._letters)

    def taken_out(self, text: bytes) -> bytes:
        """`text` with `***` where there was one."""
        for form in self._forms:
            text = text.replace(form, _MASK)
        return text

    def begun_in(self, text: bytes) -> int:
        """How many bytes at the end of `text` may be the beginning of one."""
        return max((_begun(text, form) for form in self._forms), default=0)


class _Veiled(Tap):
    """A stream without credentials, also where one begins in one piece and ends in another."""

    __slots__ = ("_held", "_hidden")

    def __init__(self, stream: Stream, hidden: _Hidden) -> None:
        super().__init__(stream)
        self._hidden = hidden
        self._held = b""

    def take(self, piece: bytes) -> bytes:
        """See `core.tap`."""
        hidden = self._hidden
        if self._held:
            piece, self._held = self._held + piece, b""
        if hidden.is_free_of(piece):
            return piece
        if hidden.are_in(piece):
            piece = hidden.taken_out(piece)
        begun = hidden.begun_in(piece)
        if not begun:
            return piece
        self._held = piece[-begun:]
        return piece[:-begun]

    def end(self) -> bytes:
        """See `core.tap`."""
        return self._held


def _forms(secret: str) -> Iterable[str]:
    if len(secret) < SHORTEST:
        return
    in_json = json.dumps(secret)[1:-1]
    yield from (secret, quote(secret, safe=""), in_json, in_json.replace("/", "\\/"))
    for form in ("\\u%04x", "\\u%04X"):
        yield _ESCAPED.sub(partial(_numbered, form), secret)


def _numbered(form: str, found: re.Match[str]) -> str:
    return form % ord(found[0])


def _begun(text: bytes, form: bytes) -> int:
    """How many bytes at the end of `text` are the beginning of `form`."""
    at = text.find(form[:1], max(0, len(text) - len(form) + 1))
    while at >= 0:
        if form.startswith(text[at:]):
            return len(text) - at
        at = text.find(form[:1], at + 1)
    return 0
