"""The rows of a query. A query says something else each time, so its rows are kept in a file until all have landed."""

import asyncio
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from forehearth.core.enrichment_settings import PostgresSource
from forehearth.core.errors import Misconfigured
from forehearth.enrichment.arrow import pa, parquet
from forehearth.enrichment.source import KEPT, Source
from forehearth.enrichment.sources.files import of_parquet
from forehearth.stores.postgres.rows import ColumnOf, rows_of

_QUERY: Final = b"forehearth.query"
_DATABASE: Final = b"forehearth.database"
_LOGIN: Final = frozenset({"user", "password", "passfile"})
_ROWS: Final = 65_536
"""Rows that are held before they are written."""
_TYPES: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), pa.int64()),
    **dict.fromkeys(("float4", "float8"), pa.float64()),
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "json", "jsonb"), pa.string()),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "bytea": pa.binary(),
}


def open_postgres(settings: PostgresSource, state: Path) -> Source:
    """The rows that are kept in the folder of the job's state, or those that the query has now. It blocks."""
    path = state / KEPT
    told = {_QUERY: _digest(settings.query), _DATABASE: _digest(_database(settings.url.reveal()))}
    if not _is_of(path, told):
        asyncio.run(_fetch(settings, path, told))
    return of_parquet([path])


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).hexdigest().encode()


def _database(url: str) -> str:
    """What tells a database from others: its address, without who we are to it."""
    parts = urlsplit(url)
    where = [each for each in parse_qsl(parts.query) if each[0] not in _LOGIN]
    return repr((parts.netloc.rpartition("@")[2], parts.path, sorted(where)))


def _is_of(path: Path, told: Mapping[bytes, bytes]) -> bool:
    """Whether rows are kept of this query to this database. Those of before that was written down may be of any."""
    try:
        metadata = parquet.read_schema(path).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return False
    return metadata.get(_QUERY) == told[_QUERY] and metadata.get(_DATABASE, told[_DATABASE]) == told[_DATABASE]


async def _fetch(settings: PostgresSource, path: Path, told: Mapping[bytes, bytes]) -> None:
    beside = path.with_name(f".{KEPT}.{os.getpid()}")
    writer, held = None, list[Any]()
    try:
        async for columns, rows in rows_of(settings.url, settings.query):
            schema = _schema(columns).with_metadata(dict(told))
            writer = writer or parquet.ParquetWriter(beside, schema)
            held += rows
            if len(held) >= _ROWS or not rows:
                writer.write_table(_table(held, schema))
                held = []
        if writer is not None:
            writer.close()
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _schema(columns: list[ColumnOf] | Any) -> Any:
    for each in columns:
        if each.type not in _TYPES:
            raise Misconfigured(
                f"source: the column '{each.name}' is of the type {each.type}, which is not read: "
                f"write {each.name}::text in the query, or another type"
            )
    return pa.schema([pa.field(each.name, _TYPES[each.type]) for each in columns])


def _table(rows: list[Any], schema: Any) -> Any:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.table(
        [pa.array(values, type=field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
    )
