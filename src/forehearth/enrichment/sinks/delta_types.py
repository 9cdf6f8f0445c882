"""What columns of Arrow are in a Delta table, which has fewer types: the nearest one that has all their values.

Of times it has microseconds, so what is below one is cut off; one with a zone is the same moment in UTC.
"""

from typing import Any, Final

from forehearth.core.errors import Misconfigured
from forehearth.enrichment.arrow import pa

_MOST_DIGITS: Final = 38
_NEAREST: Final = {
    pa.null(): pa.string(),
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20),
    pa.float16(): pa.float32(),
    pa.date64(): pa.date32(),
    **{time: pa.string() for time in (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"))},
    pa.string_view(): pa.string(),
    pa.binary_view(): pa.binary(),
}
_TAKEN: Final = (
    pa.types.is_signed_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_date,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
)


class _Untaken(Exception):
    """There is no type for it."""


def storable(schema: Any) -> Any:
    """The schema of a Delta table for rows of another one. Raises `Misconfigured` for a column that it cannot have."""
    names: dict[str, str] = {}
    fields = []
    for each in schema:
        other = names.get(each.name.lower())
        if other is not None:
            raise Misconfigured(
                f"sink: the columns '{other}' and '{each.name}' are the same one to a Delta table: rename one of them"
            )
        names[each.name.lower()] = each.name
        try:
            fields.append(each.with_type(_nearest(each.type)))
        except _Untaken:
            raise Misconfigured(
                f"sink: a Delta table has no type for the column '{each.name}', which is {each.type}: "
                "make it a text or a number in the source, or write format: parquet"
            ) from None
    return pa.schema(fields)


def _nearest(kind: Any) -> Any:
    """The type that stands for another one. Raises `_Untaken`."""
    found = _NEAREST.get(kind)
    if found is not None:
        return found
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz=None if kind.tz is None else "UTC")
    if pa.types.is_dictionary(kind):
        return _nearest(kind.value_type)
    if pa.types.is_decimal(kind) and kind.precision <= _MOST_DIGITS and 0 <= kind.scale <= kind.precision:
        return pa.decimal128(kind.precision, kind.scale)
    if pa.types.is_nested(kind):
        return _nested(kind)
    if not any(is_taken(kind) for is_taken in _TAKEN):
        raise _Untaken
    return kind


def _nested(kind: Any) -> Any:
    if pa.types.is_struct(kind):
        return pa.struct([each.with_type(_nearest(each.type)) for each in kind])
    if pa.types.is_map(kind):
        return pa.map_(_nearest(kind.key_type), kind.item_field.with_type(_nearest(kind.item_type)))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(_nearest(kind.value_type)))
    raise _Untaken
