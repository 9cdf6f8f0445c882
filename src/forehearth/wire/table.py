"""Endpoints at which something is done, as rows of a table: a form of path, a method, and what does it.

A family of endpoints (conversations, files, …) is a sequence of rows. Several surfaces have the same family, each below
its own base. A segment may end with a colon and what is to be done: `/agents/{name}:enable`.
"""

from collections.abc import Sequence

import msgspec

from forehearth.core.endpoint import Endpoint
from forehearth.core.errors import MethodNotAllowed
from forehearth.core.exchange import Head
from forehearth.core.permission import Permission
from forehearth.ports.surface import Act, Asked, Upload
from forehearth.wire import paths

_NAMED = b"{"
_END = b"}"
BODIES = (b"POST", b"PUT", b"PATCH")
"""Methods of requests that may have a body."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint of a family."""

    method: str
    form: str
    """The path below the base, with `{names}` for what varies: `/conversations/{id}/items`."""
    permission: Permission | None
    """None asks for a token or key that is known here, and no more."""
    name: str
    """What is done, for metrics and the audit log."""
    act: Act | None = None
    """None for what has no body to be read: the surface answers it by its page."""
    upload: Upload | None = None
    """What is done instead with a body while it arrives."""
    media: bytes = b"application/json"
    """What its body has to be, where it has one; empty for anything."""


class Table:
    """The rows below one base."""

    def __init__(self, rows: Sequence[Row], *, base: str, keys: bool) -> None:
        self._by_length: dict[tuple[bytes, int], list[tuple[list[bytes], Row, Asked]]] = {}
        asked = [(row, _asked(row, base=base, keys=keys)) for row in rows]
        for row, each in asked:
            form = row.form.encode().split(b"/")
            self._by_length.setdefault((form[1], len(form)), []).append((form, row, each))
        for alike in self._by_length.values():
            alike.sort(key=_names, reverse=True)
        self.endpoints = tuple(each.endpoint for _, each in asked)
        self.families = frozenset(family for family, _ in self._by_length)
        """The first segments of all forms."""

    def find(self, head: Head, path: bytes) -> Asked | None:
        """What is asked for at `path`, from which the base was taken; None where no form is like it.

        Raises `MethodNotAllowed`, `UnsupportedMediaType`, and `PathNotFound` for a segment that cannot be a name.
        """
        parts = path.split(b"/")
        rows = self._by_length.get((parts[1], len(parts)), ()) if len(parts) > 1 else ()
        fitting = [each for each in rows if _fits(each[0], parts)]
        # A path with an action is that action's alone: `{name}` would take `a:run` for a name.
        fitting = [each for each in fitting if _acts(each[0])] or fitting
        there = {each[1].method: each for each in fitting}  # of a method, the last one: the one with fewer names
        if not there:
            return None
        method = "GET" if head.method == b"HEAD" else head.method.decode("ascii", "replace")
        if method not in there:
            allowed = tuple(sorted(there))
            raise MethodNotAllowed(f"This path takes {' and '.join(allowed)}.", allowed=allowed)
        form, row, asked = there[method]
        if row.media and head.method in BODIES:
            paths.require_media(head, row.media)
        ids = tuple(
            paths.segment(part.removesuffix(want.partition(_END)[2]))
            for want, part in zip(form, parts, strict=True)
            if want.startswith(_NAMED)
        )
        return msgspec.structs.replace(asked, ids=ids)


def _asked(row: Row, *, base: str, keys: bool) -> Asked:
    endpoint = Endpoint(method=row.method, path=base + row.form, permission=row.permission, name=row.name, keys=keys)
    return Asked(endpoint=endpoint, act=row.act, upload=row.upload)


def _names(each: tuple[list[bytes], Row, Asked]) -> int:
    """How much of a form varies: of two that fit, the one with fewer names is meant."""
    return sum(part.startswith(_NAMED) for part in each[0])


def _fits(form: list[bytes], parts: list[bytes]) -> bool:
    return all(
        part.endswith(want.partition(_END)[2]) if want.startswith(_NAMED) else want == part
        for want, part in zip(form, parts, strict=True)
    )


def _acts(form: list[bytes]) -> bool:
    return any(want.startswith(_NAMED) and not want.endswith(_END) for want in form)
