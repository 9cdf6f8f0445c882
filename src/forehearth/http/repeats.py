"""A head that a connection has seen before. Clients send the same one with every call, but for its content-length.

What was read and decided of it then is not read and decided again; only its credential is looked at anew
(`Admission.again`). Heads with a chunked body, or none, are not remembered.
"""

import re
from typing import Final, Self

from forehearth.http.head import Request
from forehearth.ports.entrance import Admission

LONGEST: Final = 4_096
"""Bytes of a head that is remembered: one a connection."""
_LENGTH: Final = re.compile(rb"\r\n[Cc]ontent-[Ll]ength:[\t ]*([0-9]+)[\t ]*\r\n")
_MOST_DIGITS: Final = 18


class Repeated:
    """A head that was let in. The next one is the same where nothing but the digits of its content-length differs."""

    __slots__ = ("_after", "_before", "admission", "request")

    def __init__(self, before: bytes, after: bytes, request: Request, admission: Admission) -> None:
        self._before = before
        self._after = after
        self.request = request
        self.admission = admission

    @classmethod
    def of(cls, block: bytes, request: Request, admission: Admission) -> Self | None:
        """Remember a whole head; None where it is too long, or its body has no length."""
        found = _LENGTH.search(block) if len(block) <= LONGEST else None
        if found is None or request.length < 0:
            return None
        before, after = block[: found.start(1)], block[found.end(1) :]
        return cls(before, after, request, admission)

    def length(self, block: bytes) -> int:
        """The bytes of the body that a whole head announces; -1 where it is another head."""
        if not block.startswith(self._before) or not block.endswith(self._after):
            return -1
        digits = block[len(self._before) : -len(self._after)]
        return int(digits) if digits.isdigit() and len(digits) <= _MOST_DIGITS else -1
