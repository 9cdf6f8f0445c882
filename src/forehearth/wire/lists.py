"""Lists as OpenAI's APIs have them: what a query asks for, and the page that is shown."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

import msgspec

from forehearth.core.errors import InvalidField
from forehearth.core.exchange import Head, Reply
from forehearth.dialects.wrong_members import shown, wrong_value
from forehearth.documents.repository import MOST, Order
from forehearth.wire.envelope import JSON

_MOST_PARAMETERS = 100
_WHOLE = re.compile(r"-?[0-9]{1,9}")
_BRACKETS = "[]"


def query(head: Head) -> Mapping[str, Sequence[str]]:
    """All values of each parameter of a query, by its name; `name[]` is `name`. Raises `InvalidField`."""
    try:
        pairs = parse_qsl(
            head.query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        raise InvalidField(
            f"The query cannot be read: at most {_MOST_PARAMETERS} times name=value, joined with '&', in UTF-8."
        ) from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name.removesuffix(_BRACKETS), []).append(value)
    return found


def order(asked: Mapping[str, Sequence[str]], *, newest_first: bool = True, limit: int = 20, most: int = MOST) -> Order:
    """Which page is meant: `limit`, `order` and `after`, the last of each. Raises `InvalidField`.

    A page has `limit` unless it says otherwise, and `most` at the most.
    """
    way = _one(asked, "order", "desc" if newest_first else "asc")
    if way not in ("asc", "desc"):
        raise wrong_value("order", way, ("asc", "desc"))
    return Order(
        limit=_limit(_one(asked, "limit", str(limit)), most),
        newest_first=way == "desc",
        after=_one(asked, "after") or None,
    )


def require_includable(head: Head, values: Sequence[str]) -> None:
    """Raises `InvalidField` where `include` asks for what is none of these values."""
    for value in query(head).get("include", ()):
        if value not in values:
            raise wrong_value("include", value, values)


def shown_list(data: Sequence[bytes], *, first_id: str | None, last_id: str | None, has_more: bool) -> Reply:
    """A page of things that are JSON already."""
    rest = msgspec.json.encode({"first_id": first_id, "last_id": last_id, "has_more": has_more})
    return Reply(status=200, headers=[JSON], body=b'{"object":"list","data":[%b],%b' % (b",".join(data), rest[1:]))


def _one(asked: Mapping[str, Sequence[str]], name: str, default: str = "") -> str:
    return asked[name][-1] if asked.get(name) else default


def _limit(text: str, most: int) -> int:
    if not _WHOLE.fullmatch(text):
        raise InvalidField(
            f"Invalid type for 'limit': expected an integer, but got '{shown(text)}' instead.",
            param="limit",
            kind="invalid_type",
        )
    limit = int(text)
    if limit < 1:
        raise InvalidField(
            f"Invalid 'limit': integer below minimum value. Expected a value >= 1, but got {limit} instead.",
            param="limit",
            kind="integer_below_min_value",
        )
    if limit > most:
        raise InvalidField(
            f"Invalid 'limit': integer above maximum value. Expected a value <= {most}, but got {limit} instead.",
            param="limit",
            kind="integer_above_max_value",
        )
    return limit
