"""Edits to the top level of a JSON object that leave every other byte as it came.

A body that passes through keeps its white space, its order, its unknown members and its odd numbers, because it is
never parsed and written again: an edit finds where a member stands and splices there. The input is known to be a
valid JSON object (the surface parsed it); on anything else the result is unspecified, but never an endless loop.
"""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s"{}\[\]:,]+', re.DOTALL)
_STRING_VALUE = re.compile(rb'\s*:\s*("(?:[^"\\]|\\.)*")', re.DOTALL)
_ESCAPE = b"\\u00"
_ESCAPED_LETTER = re.compile(rb"\\u00[567]")
_OPENING = frozenset(b"{[")
_CLOSING = frozenset(b"}]")
_QUOTE, _COLON, _COMMA = b'":,'


class Member(NamedTuple):
    """One member of the top-level object: its decoded key, and where its key and value stand."""

    key: str
    start: int
    """Offset of the key's opening quote."""
    value_start: int
    end: int
    """Offset just past the value."""


def members(body: bytes) -> list[Member]:
    """All members of the object in `body`, in order, repeated keys included."""
    found: list[Member] = []
    depth = 0
    key: re.Match[bytes] | None = None
    value_start = -1
    value_end = -1
    for token in _TOKEN.finditer(body):
        first = body[token.start()]
        if depth == 1 and key is not None and value_start < 0 and first != _COLON:
            value_start = token.start()
        if first in _OPENING:
            depth += 1
        elif first in _CLOSING:
            depth -= 1
        if depth == 1 and key is None and first == _QUOTE:
            key = token
        elif depth == 0 or (depth == 1 and first == _COMMA):
            if key is not None:
                found.append(Member(_text(key.group()), key.start(), value_start, value_end))
            key, value_start = None, -1
        value_end = token.end()
        if depth == 0:
            break
    return found


def replace(body: bytes, key: str, value: bytes) -> bytes:
    """`body` with the value of its top-level `key` replaced, which is known to be there (as often as it is there).

    `key` is lower-case ASCII. Where its text stands only once in the body, and no escape could hide another spelling
    of it, that one place is the member: no need to read the rest.
    """
    quoted = b'"' + key.encode() + b'"'
    if body.count(quoted) == 1 and not (_ESCAPE in body and _ESCAPED_LETTER.search(body)):
        only = _STRING_VALUE.match(body, body.index(quoted) + len(quoted))
        if only is not None:
            return body[: only.start(1)] + value + body[only.end(1) :]
    out = body
    for member in reversed(members(body)):
        if member.key == key:
            out = out[: member.value_start] + value + out[member.end :]
    return out


def insert_first(body: bytes, key: str, value: bytes) -> bytes:
    """`body` with a member put before all others."""
    brace = body.index(b"{")
    empty = body[brace + 1 :].lstrip().startswith(b"}")
    return body[: brace + 1] + b'"' + key.encode() + b'":' + value + (b"" if empty else b",") + body[brace + 1 :]


def put(body: bytes, values: Mapping[str, bytes], *, missing: Mapping[str, bytes] = {}) -> bytes:
    """`body` with these values: in their members' place, or behind all others where there are none.

    What is `missing` is added, too, but never replaced. A member that is there twice is replaced twice.
    """
    found = members(body)
    out = body
    for member in reversed(found):
        value = values.get(member.key)
        if value is not None:
            out = out[: member.value_start] + value + out[member.end :]
    there = {member.key for member in found}
    added = [
        msgspec.json.encode(key) + b":" + value for key, value in {**missing, **values}.items() if key not in there
    ]
    if not added:
        return out
    brace = out.rindex(b"}")
    return out[:brace] + (b"," if found else b"") + b",".join(added) + out[brace:]


def remove(body: bytes, keys: Collection[str]) -> bytes:
    """`body` without the top-level members named in `keys`."""
    everything = members(body)
    kept = [member for member in everything if member.key not in keys]
    if len(kept) == len(everything):
        return body
    head = body[: everything[0].start]
    tail = body[everything[-1].end :]
    return head + b",".join(body[member.start : member.end] for member in kept) + tail


def _text(token: bytes) -> str:
    try:
        return msgspec.json.decode(token, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return token[1:-1].decode("utf-8", "replace")  # no key that anybody asks for
