"""Files of rows: CSV, JSON lines and Parquet, by path, folder or pattern."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from forehearth.core.enrichment_settings import ColumnType, CsvSource, JsonlSource, ParquetSource
from forehearth.core.errors import Misconfigured
from forehearth.enrichment.arrow import csv, json, pa, parquet, pc
from forehearth.enrichment.source import Source
from forehearth.enrichment.sources.whole_numbers import types_beyond, with_types

_PIECE: Final = 1 << 20
_ROWS: Final = 8_192
"""Rows of a batch of Parquet."""
_ARROW: Final[dict[ColumnType, Any]] = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "date32": pa.date32(),
    "timestamp": pa.timestamp("us"),
}

Open = Callable[[Path, Any], Any]
"""From a file, and the schema that the first file had (None for that one itself), to a reader of batches."""


def open_csv(settings: CsvSource, folder: Path) -> Source:
    """Rows of CSV files."""
    parsing = csv.ParseOptions(delimiter=settings.delimiter, newlines_in_values=True)
    types = {name: _ARROW[kind] for name, kind in settings.types.items()}

    def opened(path: Path, schema: Any) -> Any:
        known = types if schema is None else dict(zip(schema.names, schema.types, strict=True))
        # Words such as NA are gaps among numbers alone: texts have them, and country codes do.
        options = csv.ConvertOptions(column_types=known, strings_can_be_null=False)
        return csv.open_csv(path, parse_options=parsing, convert_options=options)

    source = _source(_filled(found(settings.path, folder, "csv")), opened)
    _check_csv(source.schema, types)
    return msgspec.structs.replace(source, read=lambda: map(_with_gaps, source.read()))


def _check_csv(schema: Any, types: Mapping[str, Any]) -> None:
    """Refuse what would be read otherwise than it is meant. Raises `Misconfigured`."""
    for name in types:
        if name not in schema.names:
            raise Misconfigured(f"source.types: the source has no column '{name}'; it has {', '.join(schema.names)}")
    for each in schema:
        if pa.types.is_binary(each.type):
            raise Misconfigured(f"source: the column '{each.name}' is not UTF-8: write the file anew in that encoding")


def _with_gaps(batch: Any) -> Any:
    """The same rows, with a gap where a text is empty."""
    columns = [
        pc.replace_with_mask(column, pc.equal(column, ""), pa.scalar(None, column.type))
        if pa.types.is_string(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def open_jsonl(settings: JsonlSource, folder: Path) -> Source:
    """Rows of files with a JSON object a line."""
    files = _filled(found(settings.path, folder, "jsonl"))
    types = _opened(lambda _, __: types_beyond(files), files[0], None)

    def opened(path: Path, schema: Any) -> Any:
        options = json.ParseOptions(explicit_schema=schema, newlines_in_values=False)
        reader = json.open_json(path, parse_options=options)
        if schema is not None or not types:
            return reader
        with reader:
            return opened(path, with_types(reader.schema, types))

    return _source(files, opened)


def open_parquet(settings: ParquetSource, folder: Path) -> Source:
    """Rows of Parquet files."""
    return of_parquet(found(settings.path, folder, "parquet"))


OPENERS: Final[Mapping[type, tuple[Callable[[Any, Path], Source], str]]] = {
    CsvSource: (open_csv, "csv"),
    JsonlSource: (open_jsonl, "jsonl"),
    ParquetSource: (open_parquet, "parquet"),
}
"""What opens each kind of files, and how their names end."""


def of_parquet(files: list[Path]) -> Source:
    """Rows of these files."""
    rows = sum(_opened(lambda each, _: parquet.read_metadata(each), path, None).num_rows for path in files)
    return _source(files, lambda path, _schema: _Parquet(path), rows)


class _Parquet:
    """A file as a reader: its batches one by one, and never a row group more in memory than one."""

    def __init__(self, path: Path) -> None:
        self._file = parquet.ParquetFile(path)
        self.schema = self._file.schema_arrow

    def __iter__(self) -> Iterator[Any]:
        yield from self._file.iter_batches(batch_size=_ROWS)

    def close(self) -> None:
        self._file.close()


def _source(files: list[Path], opened: Open, rows: int | None = None) -> Source:
    schema = _typed(_opened(opened, files[0], None).schema)
    twice = [name for name in schema.names if schema.names.count(name) > 1]
    if twice:
        raise Misconfigured(f"source: {files[0]} has two columns '{twice[0]}': rename one of them")

    def read() -> Iterator[Any]:
        for path in files:
            reader = _opened(opened, path, schema)
            if reader.schema.names != schema.names:
                raise Misconfigured(
                    f"source: {path} has other columns ({', '.join(reader.schema.names)}) than {files[0]}"
                )
            try:
                for batch in reader:
                    yield batch.cast(schema) if batch.schema != schema else batch
            except (OSError, pa.ArrowException) as error:
                raise _unreadable(path, error) from error
            finally:
                reader.close()

    return Source(schema=schema, version=_version(files), read=read, rows=rows)


def _typed(schema: Any) -> Any:
    """A column in which nothing was seen yet may have anything: it is text."""
    fields = [pa.field(each.name, pa.string() if pa.types.is_null(each.type) else each.type) for each in schema]
    return pa.schema(fields)


def _opened(opened: Open, path: Path, schema: Any) -> Any:
    try:
        return opened(path, schema)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> Misconfigured:
    words = " ".join(str(error).split())[:300]
    return Misconfigured(f"source: {path} cannot be read: {words}")


def found(given: str, folder: Path, ending: str, *, may_be_none: bool = False) -> list[Path]:
    """The files that a path, a folder or a pattern names, in their order.

    Raises `Misconfigured` where there are none, unless that may be.
    """
    path = (folder / given).absolute()
    if path.is_dir():
        files = sorted(path.glob(f"*.{ending}"))
    elif path.exists():
        files = [path]
    else:
        anchor = Path(path.anchor)
        files = sorted(anchor.glob(str(path.relative_to(anchor))))
    if not files and not may_be_none:
        what = f"has no *.{ending}" if path.is_dir() else "is not there"
        raise Misconfigured(f"source: {path} {what}; a relative path begins at the folder of the job file")
    return files


def _filled(files: list[Path]) -> list[Path]:
    """Those that have anything in them: many writers leave files without. All, where none has, to be refused."""
    return [each for each in files if not each.is_file() or each.stat().st_size] or files


def _version(files: list[Path]) -> str:
    """What the bytes of the files are: names and times may change, and rows may not."""
    sha = hashlib.sha256()
    for path in files:
        with _opened(lambda each, _: each.open("rb"), path, None) as file:
            while piece := file.read(_PIECE):
                sha.update(piece)
        sha.update(b"\n")
    return f"sha256:{sha.hexdigest()[:32]}"
