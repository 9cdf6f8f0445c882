"""The surfaces as an API Management has them: below a path prefix, with a subscription key as header or in the query.

It stands before the entrance and translates heads: what comes after it sees the path without the prefix, and the key
in a header that is known everywhere. A key in a query is taken out of it, so that it is in no link and no log.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from forehearth.core.exchange import Head, Reply
from forehearth.core.settings import SubscriptionKeySettings
from forehearth.ports.entrance import Admission, Entrance, Undecided

_KNOWN = (b"ocp-apim-subscription-key", b"x-api-key")
"""Headers in which a key is looked for; the first that is free gets it."""


class AsApiManagement:
    """An `Entrance` before another."""

    def __init__(self, entrance: Entrance, prefixes: Sequence[str], keys: SubscriptionKeySettings) -> None:
        self._entrance = entrance
        self._prefixes = tuple(sorted((each.encode() for each in prefixes), key=len, reverse=True))
        header = keys.header.lower().encode()
        self._header = b"" if header == _KNOWN[0] else header
        self._query = (keys.query or "").lower().encode()

    def accept(self, head: Head) -> Admission | Reply | Undecided | None:
        """See `ports.entrance`."""
        return self._entrance.accept(self._understood(head))

    def _understood(self, head: Head) -> Head:
        changes: dict[str, Any] = {}
        path = head.raw_path
        for prefix in self._prefixes:
            if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] == b"/":
                changes |= {"prefix": prefix, "raw_path": path[len(prefix) :]}
                break
        key = head.headers.get(self._header, b"") if self._header else b""
        if self._query and self._query in head.query.lower():
            query, found = _without(head.query, self._query)
            changes["query"] = query
            key = key or found
        if key:
            free = next((each for each in _KNOWN if each not in head.headers), _KNOWN[0])
            changes["headers"] = {**head.headers, free: key}
        return msgspec.structs.replace(head, **changes) if changes else head


def _without(query: bytes, name: bytes) -> tuple[bytes, bytes]:
    """The query without a parameter, and that parameter's first value; empty where it has none."""
    kept, found = [], b""
    for pair in query.split(b"&"):
        each, _, value = pair.partition(b"=")
        if each.lower() == name:
            found = found or unquote_to_bytes(value.replace(b"+", b" "))
        else:
            kept.append(pair)
    return b"&".join(kept), found


def as_api_management(entrance: Entrance, prefixes: Sequence[str], keys: SubscriptionKeySettings) -> Entrance:
    """`entrance` with what the configuration asks for before it: itself where that is nothing."""
    if not prefixes and keys == SubscriptionKeySettings():
        return entrance
    return AsApiManagement(entrance, prefixes, keys)
