"""Messages become rows by the types that the job names; what cannot be read is a row with what was in it."""

from datetime import UTC, date, datetime

import pytest

from forehearth.enrichment.messages import Message, MessageReader

COLUMNS = {
    "id": "int64",
    "text": "string",
    "score": "float64",
    "paid": "bool",
    "day": "date32",
    "at": "timestamp",
    "more": "json",
}
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def message(value: bytes, **more: object) -> Message:
    return Message(**{"partition": 1, "offset": 7, "value": value} | more)


def test_members_become_columns_by_their_types():
    value = b'{"id": 1, "text": "x", "score": 1, "paid": true, "day": "2026-01-02", "at": "2026-01-02T13:00:00+01:00",'
    value += b' "more": {"a": [1, 2]}, "other": 3}'
    rows, malformed = MessageReader(COLUMNS).read([message(value, key=b"k", milliseconds=1_767_355_200_000)])
    assert malformed == {}
    assert rows.to_pylist() == [
        {
            "id": 1,
            "text": "x",
            "score": 1.0,
            "paid": True,
            "day": date(2026, 1, 2),
            "at": NOON,
            "more": '{"a": [1, 2]}',
            "_partition": 1,
            "_offset": 7,
            "_key": "k",
            "_timestamp": NOON,
            "_value": None,
        }
    ]


def test_what_is_missing_is_a_gap():
    rows, malformed = MessageReader(COLUMNS).read(
        [message(b"{}"), message(b'{"id": null, "at": "2026-01-02T12:00:00"}')]
    )
    assert malformed == {}
    assert rows.column("id").to_pylist() == [None, None]
    assert rows.column("at").to_pylist() == [None, NOON]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"[]",
        b"{",
        b"null",
        b'{"id": "1"}',
        b'{"id": 1.5}',
        b'{"id": 9223372036854775808}',
        b'{"text": 1}',
        b'{"day": "2026-13-01"}',
        b'{"at": 1767355200}',
        b'{"text": "\xff"}',
        b'{"at": "0001-01-01T00:00:00+14:00"}',
        b'{"at": "9999-12-31T23:59:59-14:00"}',
        b"[" * 100_000,
    ],
)
def test_what_cannot_be_read_is_kept_as_it_was(value):
    rows, malformed = MessageReader(COLUMNS).read([message(b'{"id": 5}'), message(value)])
    assert list(malformed) == [1]
    assert malformed[1].startswith("The message cannot be read: ")
    assert len(malformed[1]) <= 300
    assert rows.column("id").to_pylist() == [5, None]
    assert rows.column("_value").to_pylist() == [None, value.decode("utf-8", "backslashreplace")]


@pytest.mark.parametrize("milliseconds", [1_767_355_200_000_000, 2**62, -(2**62)])
def test_a_message_whose_writer_counts_otherwise_is_read(milliseconds):
    rows, malformed = MessageReader(COLUMNS).read([message(b'{"id": 5}', milliseconds=milliseconds)])
    assert malformed == {}
    assert (rows["id"].to_pylist(), rows["_timestamp"].to_pylist()) == ([5], [None])


def test_no_messages_are_no_rows():
    reader = MessageReader(COLUMNS)
    rows, malformed = reader.read([])
    assert (rows.num_rows, rows.schema, malformed) == (0, reader.schema, {})
