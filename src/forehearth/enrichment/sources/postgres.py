"""The rows of a query. A query says something else each time, so its rows are kept in a file until all have landed."""

import asyncio
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from forehearth.core.enrichment_settings import PostgresSource
from forehearth.core.errors import Misconfigured
from forehearth.enrichment.arrow import pa, parquet
from forehearth.enrichment.source import KEPT, Source
from forehearth.enrichment.sources.files import of_parquet
from forehearth.stores.postgres.rows import ColumnOf, rows_of

_QUERY: Final = b"forehearth.query"
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
    query = hashlib.sha256(settings.query.encode()).hexdigest()
    if not _is_of(path, query):
        asyncio.run(_fetch(settings, path, query))
    return of_parquet([path])


def _is_of(path: Path, query: str) -> bool:
    try:
        metadata = parquet.read_schema(path).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return False
    return bool(metadata.get(_QUERY, b"").decode() == query)


async def _fetch(settings: PostgresSource, path: Path, query: str) -> None:
    beside = path.with_name(f".{KEPT}.{os.getpid()}")
    writer, held = None, list[Any]()
    try:
        async for columns, rows in rows_of(settings.url, settings.query):
            schema = _schema(columns).with_metadata({_QUERY: query.encode()})
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
