"""From what a request carries to the items that are kept: checked, each with an id and a status, and whole.

An item is kept as it came, members that nobody here knows included; only what its kind is shown with is added.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from forehearth.conversations.kinds import COMPLETED, INPUT_PARTS, KINDS, OF_AGENTS, PARTS, TEXT, Kind
from forehearth.core.errors import InvalidField
from forehearth.dialects.wrong_members import (
    missing_member,
    shown,
    too_long,
    too_many,
    type_of,
    wrong_member,
    wrong_type,
    wrong_value,
)

MOST_AT_ONCE = 20
"""Items that one request may add."""
LARGEST = 4 * 1024 * 1024
"""Bytes of an item's JSON."""
LONGEST_ID = 64
_ALL = {**KINDS, **OF_AGENTS}
_ID = re.compile(r"[A-Za-z0-9_-]+")

Given = dict[str, Any]
"""An item or a part, decoded."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One item as it is kept and shown."""

    id: str
    body: bytes
    """The whole of it as JSON, its id included."""


def read_items(
    given: Sequence[Given], new_id: Callable[[str], str], *, at: str = "items", most: int | None = MOST_AT_ONCE
) -> list[Item]:
    """The items of a request's member `at`, in its order; `new_id` makes an id that begins with a prefix.

    Raises `InvalidField`, which names the member, for more than `most`, for a kind that cannot be kept, for what a kind
    has to carry and does not, and for an id that is there twice.
    """
    if most is not None and len(given) > most:
        raise too_many(at, most, len(given))
    items: dict[str, Item] = {}
    for number, each in enumerate(given):
        item = _read(each, f"{at}[{number}]", new_id)
        if item.id in items:
            raise duplicate(item.id, at)
        items[item.id] = item
    return list(items.values())


def duplicate(item: str, at: str) -> InvalidField:
    """The refusal of an id that some item has already."""
    return InvalidField(
        f"Duplicate item found with id {shown(item)}. Remove duplicate items from your input and try again; "
        "an item without 'id' is given a new one.",
        param=at,
    )


def _read(given: Given, at: str, new_id: Callable[[str], str]) -> Item:
    kind_name = _kind(given, at)
    kind = _ALL[kind_name]
    item = _filled(given, kind, at)
    item["type"] = kind_name
    if kind_name == "message":
        item["content"] = _content(item, at)
    elif kind_name in ("function_call_output", "custom_tool_call_output") and isinstance(item["output"], list):
        item["output"] = _parts(item["output"], INPUT_PARTS, f"{at}.output")
    elif kind_name == "shell_call":
        item["action"] = {"timeout_ms": None, "max_output_length": None} | item["action"]
    if kind.statuses:
        item["status"] = _status(item.get("status"), kind, at)
    item["id"] = _id(item.get("id"), kind, at) or new_id(kind.prefix)
    body = msgspec.json.encode(item)
    if len(body) > LARGEST:
        raise InvalidField(
            f"Invalid '{at}': too large. Expected an item of at most {LARGEST} bytes, but got one of {len(body)}.",
            param=at,
        )
    return Item(id=item["id"], body=body)


def _kind(given: Given, at: str) -> str:
    """What an item is. A message need not say so."""
    kind = given.get("type")
    if kind is None and "role" in given:
        return "message"
    if kind is None:
        raise missing_member(f"{at}.type")
    if not isinstance(kind, str):
        raise wrong_type(f"{at}.type", "a string", type_of(kind))
    if kind not in _ALL:
        raise wrong_value(f"{at}.type", kind, tuple(KINDS))
    return kind


def _filled(given: Given, kind: Kind, at: str) -> Given:
    """What came, checked, and with what it is shown with."""
    try:
        msgspec.convert(given, kind.shape)
    except msgspec.ValidationError as error:
        raise wrong_member(error, at) from None
    item = {name: value for name, value in given.items() if value is not None or name not in kind.dropped}
    return item | {name: value for name, value in kind.filled.items() if item.get(name) is None}


def _content(item: Given, at: str) -> list[Given]:
    role = item["role"]
    if role not in PARTS:
        raise wrong_value(f"{at}.role", role, tuple(PARTS))
    content = item["content"]
    parts = [{"type": TEXT[role], "text": content}] if isinstance(content, str) else content
    return _parts(parts, PARTS[role], f"{at}.content")


def _parts(given: Sequence[Given], kinds: Mapping[str, Kind], at: str) -> list[Given]:
    parts = []
    for number, part in enumerate(given):
        where, kind = f"{at}[{number}]", part.get("type")
        if kind is None:
            raise missing_member(f"{where}.type")
        if not isinstance(kind, str):
            raise wrong_type(f"{where}.type", "a string", type_of(kind))
        if kind not in kinds:
            raise wrong_value(f"{where}.type", kind, tuple(kinds))
        parts.append(_filled(part, kinds[kind], where))
    return parts


def _status(given: object, kind: Kind, at: str) -> str:
    if given is None:
        return COMPLETED
    if not isinstance(given, str):
        raise wrong_type(f"{at}.status", "a string", type_of(given))
    if given not in kind.statuses:
        raise wrong_value(f"{at}.status", given, kind.statuses)
    return given


def _id(given: object, kind: Kind, at: str) -> str | None:
    """The id that came with it, where it can be one. Words as the service has them."""
    where = f"{at}.id"
    if given is None:
        return None
    if not isinstance(given, str):
        raise wrong_type(where, "a string", type_of(given))
    if len(given) > LONGEST_ID:
        raise too_long(where, LONGEST_ID, len(given))
    if not given.startswith(kind.begins):
        raise InvalidField(
            f"Invalid '{where}': '{shown(given)}'. Expected an ID that begins with '{kind.begins}'.", param=where
        )
    if not _ID.fullmatch(given):
        raise InvalidField(
            f"Invalid '{where}': '{shown(given)}'. Expected an ID that contains letters, numbers, underscores, or "
            "dashes, but this value contained additional characters.",
            param=where,
        )
    return given
