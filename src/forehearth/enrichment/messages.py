"""Messages of a topic as rows: the members of their values by the types that the job names, and where they stood.

A message that cannot be read is a row too, of which nothing is known but where it stood and what was in it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final

import msgspec

from forehearth.core.kafka_settings import MemberType
from forehearth.enrichment.arrow import pa

RAW: Final = "_value"
"""The column with a message that could not be read; the quarantine alone has it."""
MALFORMED: Final = "malformed"
"""The code of a row whose message could not be read."""

_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_TYPES: Final[Mapping[MemberType, tuple[Any, Any, Any]]] = {
    "string": (str | None, None, pa.string()),
    "int64": (_Int64 | None, None, pa.int64()),
    "float64": (float | None, None, pa.float64()),
    "bool": (bool | None, None, pa.bool_()),
    "date32": (date | None, None, pa.date32()),
    "timestamp": (datetime | None, None, pa.timestamp("us", tz="UTC")),
    "json": (msgspec.Raw, msgspec.Raw(b"null"), pa.string()),
}
"""What a member is read as, what it is where it is missing, and what its column has."""
_STOOD: Final = pa.schema(
    [
        pa.field("_partition", pa.int32()),
        pa.field("_offset", pa.int64()),
        pa.field("_key", pa.string()),
        pa.field("_timestamp", pa.timestamp("us", tz="UTC")),
        pa.field(RAW, pa.string()),
    ]
)
_MOST: Final = 300
"""Characters of what is said of a message."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message with a value."""

    partition: int
    offset: int
    key: bytes | None = None
    value: bytes
    milliseconds: int | None = None
    """When it was written, in Unix milliseconds."""


class MessageReader:
    """Reads messages. `columns` are the members that become columns, and their types."""

    def __init__(self, columns: Mapping[str, MemberType]) -> None:
        names = list(columns)
        fields = [(f"member{at}", *_TYPES[columns[name]][:2]) for at, name in enumerate(names)]
        rename = {f"member{at}": name for at, name in enumerate(names)}
        self._members = list(rename)
        self._decoder = msgspec.json.Decoder(msgspec.defstruct("Value", fields, rename=rename, kw_only=True))
        self.schema: Any = pa.schema([*(pa.field(name, _TYPES[columns[name]][2]) for name in names), *_STOOD])
        """The columns of a row."""

    def read(self, messages: Sequence[Message]) -> tuple[Any, dict[int, str]]:
        """The rows, as a `RecordBatch`, and why some could not be read, by their places."""
        values, malformed = list[Any](), dict[int, str]()
        for at, message in enumerate(messages):
            try:
                value = self._decoder.decode(message.value)
                values.append([_plain(getattr(value, member)) for member in self._members])
            except (msgspec.DecodeError, UnicodeError, RecursionError, OverflowError) as error:
                malformed[at] = " ".join(f"The message cannot be read: {error}".replace("`", "'").split())[:_MOST]
                values.append([None] * len(self._members))
        columns: list[Any] = list(zip(*values, strict=True)) if values else [()] * len(self._members)
        columns += [
            [each.partition for each in messages],
            [each.offset for each in messages],
            [None if each.key is None else _text(each.key) for each in messages],
            [_moment(each.milliseconds) for each in messages],
            [_text(each.value) if at in malformed else None for at, each in enumerate(messages)],
        ]
        arrays = [pa.array(column, type=field.type) for column, field in zip(columns, self.schema, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema), malformed


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Raw):
        text = bytes(value).decode()
        return None if text == "null" else text
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


def _text(value: bytes) -> str:
    """Text; bytes that are none are written by their numbers."""
    return value.decode("utf-8", "backslashreplace")


def _moment(milliseconds: int | None) -> datetime | None:
    """None also for what is no time: brokers keep whatever a writer says, microseconds for milliseconds among it."""
    if milliseconds is None:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
