"""Takes secrets out of text: those it was told, in every form they travel in, and whatever has a credential's shape.

It is the second line of defence. The first is `core.secret.Secret`, which does not show itself.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from forehearth.core.secret import Secret

MASK: Final = "***"

SHORTEST: Final = 6
"""A registered secret with fewer characters is left alone: words that short occur in ordinary text."""

_NAME: Final = (
    r"(?:api[-_ ]?key|subscription[-_]?key|account[-_]?key|access[-_]?key|private[-_]?key|functions[-_]?key"
    r"|(?:proxy-)?authorization|(?:set-)?cookie|password|passwd|pwd|passphrase|credential|(?:client[-_]?)?secret"
    r"|(?:access|refresh|id|auth|session|sas)[-_]?token|shared[-_]?access[-_]?signature)"
)
_SCHEME: Final = r"(?:(?:bearer|basic|digest|negotiate|apikey|token)\s+)?"
_QUOTED: Final = r""""(?:[^"\\\n]|\\.){0,4096}"|'(?:[^'\\\n]|\\.){0,4096}'"""
_VALUE: Final = rf"""(?:{_QUOTED}|["']?{_SCHEME}["']?[^\s"',;&}}\])\\]+)"""

_SHAPES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
    (re.compile(r"((?:^|[^A-Za-z0-9])cookie\\*[\"']?\s*[:=]\s*\\*[\"']?)[^\n\"']+", re.IGNORECASE), rf"\g<1>{MASK}"),
    # A name, in any spelling of a mapping, a header or a pair of values, and what is given for it.
    (
        re.compile(
            rf"""(?<![A-Za-z0-9])({_NAME}\\*["']?\s*(?:[:=]+|,(?=\s*b?["']))\s*(?:b(?=\\*["']))?\\*){_VALUE}""",
            re.IGNORECASE,
        ),
        rf"\g<1>{MASK}",
    ),
    (re.compile(r"([?&](?:key|sig|code|token|secret)=)[^&\s\"'<>]+", re.IGNORECASE), rf"\g<1>{MASK}"),
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/-]{8,}=*", re.IGNORECASE), rf"\g<1> {MASK}"),
    (re.compile(r"(?<=://)[^/\s@?#\"'<>]*@"), f"{MASK}@"),
    (re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,3}"), MASK),
    (re.compile(r"(?<![A-Za-z0-9])fh-[A-Za-z0-9_-]{20,}"), MASK),
    (re.compile(r"(?<![A-Za-z0-9])(?:sk|pk|rk|hf|ghp|gho|ghs|glpat|github_pat|xox[abprs])[-_][A-Za-z0-9_-]{8,}"), MASK),
    (re.compile(r"(?<![A-Za-z0-9])(?:AIza[A-Za-z0-9_-]{30,}|(?:AKIA|ASIA)[A-Z0-9]{16})"), MASK),
)

_CREDENTIAL_NAME: Final = re.compile(rf"(?:^|[^a-z0-9]){_NAME}$", re.IGNORECASE)


class Redactor:
    """Text in, text without secrets out. Secrets that come up later are registered when they do."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._forms: set[str] = set()
        self._longest_first: tuple[str, ...] = ()
        self.register(*secrets)

    def register(self, *secrets: Secret) -> None:
        """From now on take these out, too: as they are, escaped, percent-encoded, and within base64."""
        for secret in secrets:
            self._forms.update(form for form in _forms(secret.reveal()) if len(form) >= SHORTEST)
        self._longest_first = tuple(sorted(self._forms, key=lambda form: (-len(form), form)))

    def redact(self, text: str) -> str:
        """`text` with `***` wherever there was a secret."""
        for form in self._longest_first:
            text = text.replace(form, MASK)
        for shape, replacement in _SHAPES:
            text = shape.sub(replacement, text)
        return text


def names_credential(name: str) -> bool:
    """Whether a field of this name holds a credential, whatever its value looks like."""
    return _CREDENTIAL_NAME.search(name) is not None


def _forms(value: str) -> Iterator[str]:
    if len(value) < SHORTEST:
        return
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]
    for encoded in (quote(value), quote(value, safe=""), quote_plus(value)):
        yield encoded
        yield re.sub("%[0-9A-F]{2}", lambda match: match.group().lower(), encoded)
    yield from _within_base64(value.encode(errors="surrogatepass"))


def _within_base64(value: bytes) -> Iterator[str]:
    """What base64 makes of the value at each of the three places that it can begin in a group of three bytes."""
    for offset in range(3):
        padded = bytes(offset) + value
        first, last = -(-offset * 8 // 6), len(padded) * 8 // 6
        yield base64.b64encode(padded).decode()[first:last]
        yield base64.urlsafe_b64encode(padded).decode()[first:last]
