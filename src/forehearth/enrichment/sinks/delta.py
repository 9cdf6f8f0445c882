"""A Delta table that takes each chunk once.

A commit carries a transaction: the job's fingerprint as application id, the chunk's number as version. The library
writes the number down and does not look at it, so it is looked at here, and the commit is made through the very object
whose state was looked at: had another run committed the same fingerprint meanwhile, the commit is refused as
conflicting, the table is loaded anew, and the number is looked at again.
"""

import contextlib
import functools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from forehearth.core.errors import Misconfigured
from forehearth.enrichment.arrow import pa, pc
from forehearth.enrichment.delta_library import deltalake, exceptions, said
from forehearth.enrichment.delta_rows import batches
from forehearth.enrichment.places import is_url, require_writable
from forehearth.enrichment.sink import Chunk, SinkFailed
from forehearth.enrichment.sinks.delta_types import storable

_LOG: Final = "_delta_log"
_TRIES: Final = 50
_APPLICATION: Final = "forehearth.application"
_NUMBER: Final = "forehearth.chunk"
_RENEWED: Final = 20
"""Commits after which the table is loaded anew from a checkpoint: what the library keeps of each commit that it made
grows, and makes each next one slower."""
_PAUSE: Final = 0.05
"""Seconds before a commit that met another one is made again."""


class DeltaTableSink:
    """One table. `key` are the columns by which rows are replaced; without them rows are added.

    Raises `Misconfigured` for a schema that a Delta table cannot have.
    """

    def __init__(
        self, where: str, schema: Any, *, application: str, key: Sequence[str], options: Mapping[str, str] | None
    ) -> None:
        self._where = where
        self._schema = storable(schema)
        unmerged = [name for name in schema.names if key and "`" in name]
        if unmerged:
            raise Misconfigured(f"sink: the column '{unmerged[0]}' cannot be merged, as its name has a backtick")
        self._application = application
        self._key = tuple(key)
        self._options = dict(options) if options else None
        self._table: Any = None
        self._columns: Any = self._schema
        self._commits = 0

    def landed(self) -> int:
        """See `sink.Sink`. Nothing is made where there is no table yet."""
        found = self._found()
        if found is None:
            return 0
        self._table = found
        return self._version()

    def require_writable(self) -> None:
        """See `sink.Sink`. Of the table of a storage that is no folder only the columns are looked at."""
        if self._table is None:
            self._found()
        full = [each.name for each in self._columns if not each.nullable and each.name not in self._schema.names]
        if full:
            raise SinkFailed(
                f"sink: the table {self._where} is there and must have a value in its column '{full[0]}', which the "
                "rows do not have: name another sink"
            )
        try:
            self._fitted(self._schema.empty_table())
            for folder in () if is_url(self._where) else (Path(self._where), Path(self._where, _LOG)):
                require_writable(folder)
        except OSError as error:
            raise SinkFailed(f"sink: the table {self._where} cannot be written: {error.strerror}") from error
        except pa.ArrowException as error:
            raise self._failed("written", error) from error

    def write(self, chunk: Chunk) -> bool:
        """See `sink.Sink`."""
        for _ in range(_TRIES):
            try:
                self._table = self._table or self._made()
                if self._version() >= chunk.number:
                    return False
                self._commit(chunk)
                self._renew()
            except exceptions.CommitFailedError:
                self._table = None
                time.sleep(_PAUSE)
            except (exceptions.DeltaError, pa.ArrowException, OSError, ValueError) as error:
                raise self._failed("written", error) from error
            else:
                return True
        raise SinkFailed(f"sink: {self._where} was written by others at each of {_TRIES} tries: resume the job later")

    def marks(self, names: Sequence[str]) -> Mapping[str, int]:
        """See `sink.Sink`. Each is a transaction id of its own, which outlives the log that it was written to."""
        if self._table is None:
            return {}
        found = {name: self._table.transaction_version(self._marked(name)) for name in names}
        return {name: int(value) for name, value in found.items() if value is not None}

    def identity(self) -> str:
        """See `sink.Sink`: the table's own id."""
        try:
            if not deltalake.DeltaTable.is_deltatable(self._where, self._options):
                return ""
            return str(deltalake.DeltaTable(self._where, storage_options=self._options).metadata().id)
        except (exceptions.DeltaError, OSError, ValueError) as error:
            raise self._failed("read", error) from error

    def some(self, rows: int) -> list[dict[str, Any]]:
        """See `sink.Sink`."""
        try:
            if not deltalake.DeltaTable.is_deltatable(self._where, self._options):
                return []
            found: list[dict[str, Any]] = []
            for batch in batches(self._load()):
                found += batch.slice(length=rows - len(found)).to_pylist()
                if len(found) >= rows:
                    break
        except (exceptions.DeltaError, pa.ArrowException, OSError, ValueError) as error:
            raise self._failed("read", error) from error
        return found

    def note(self, number: int) -> Mapping[str, str]:
        """See `sink.Sink`. Commits are told by their application and number; others may have been made since."""
        try:
            for commit in self._load().history():
                if commit.get(_APPLICATION) == self._application and commit.get(_NUMBER) == str(number):
                    return {name: value for name, value in commit.items() if isinstance(value, str)}
        except (exceptions.DeltaError, OSError, ValueError) as error:
            raise self._failed("read", error) from error
        return {}

    def _found(self) -> Any:
        """The table, loaded; None where there is none."""
        try:
            if not deltalake.DeltaTable.is_deltatable(self._where, self._options):
                return None
            return self._load()
        except (exceptions.DeltaError, OSError, ValueError) as error:
            raise self._failed("read", error) from error

    def _load(self) -> Any:
        table = deltalake.DeltaTable(self._where, storage_options=self._options)
        self._columns = pa.schema(table.schema().to_arrow())
        missing = [each.name for each in self._schema if each.name not in self._columns.names]
        if missing:
            raise SinkFailed(
                f"sink: the table {self._where} is there and has no column '{missing[0]}': "
                "name another sink, or add the column to the table"
            )
        return table

    def _made(self) -> Any:
        deltalake.DeltaTable.create(self._where, schema=self._schema, mode="ignore", storage_options=self._options)
        return self._load()

    def _renew(self) -> None:
        self._commits += 1
        if self._commits % _RENEWED == 0:
            with contextlib.suppress(exceptions.DeltaError):  # without it the next load reads more, and that is all
                self._table.create_checkpoint()
            self._table = self._load()

    def _fitted(self, rows: Any) -> Any:
        """The rows with the table's columns, in its order and types; nothing in those that they do not have."""
        arrays = [
            rows.column(field.name).cast(options=pc.CastOptions(field.type, allow_time_truncate=True))
            if field.name in rows.schema.names
            else pa.nulls(rows.num_rows, field.type)
            for field in self._columns
        ]
        return pa.Table.from_arrays(arrays, schema=self._columns)

    def _version(self) -> int:
        found = self._table.transaction_version(self._application)
        return 0 if found is None else int(found)

    def _marked(self, name: str) -> str:
        return f"{self._application}:{name}"

    def _commit(self, chunk: Chunk) -> None:
        transactions = [deltalake.Transaction(self._application, chunk.number)]
        transactions += [
            deltalake.Transaction(self._marked(name), value)
            for name, value in chunk.marks.items()
            if self._table.transaction_version(self._marked(name)) != value
        ]
        note = chunk.note | {_APPLICATION: self._application, _NUMBER: str(chunk.number)}
        properties = deltalake.CommitProperties(app_transactions=transactions, custom_metadata=note)
        rows = self._fitted(chunk.rows)
        # A merge of no rows makes no commit, and its number would not be written down.
        if not self._key or not rows.num_rows:
            deltalake.write_deltalake(self._table, rows, mode="append", commit_properties=properties)
            return
        same = " AND ".join(f"t.{_quoted(name)} = s.{_quoted(name)}" for name in self._key)
        merging = self._table.merge(
            _last_of_each(rows, self._key), same, source_alias="s", target_alias="t", commit_properties=properties
        )
        merging.when_matched_update_all().when_not_matched_insert_all().execute()

    def _failed(self, deed: str, error: Exception) -> SinkFailed:
        words = said(error)
        return SinkFailed(f"sink: the table {self._where} cannot be {deed}: {words}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _last_of_each(rows: Any, key: Sequence[str]) -> Any:
    """Of rows with the same key the last one. A row that lacks a part of its key is none of them, as SQL has it."""
    names = [f"k{at}" for at in range(len(key))]
    keys = rows.select(list(key)).rename_columns(names).append_column("at", pa.array(range(rows.num_rows)))
    whole = functools.reduce(pc.and_, (pc.is_valid(keys[name]) for name in names))
    last = keys.filter(whole).group_by(names).aggregate([("at", "max")])["at_max"]
    lacking = keys.filter(pc.invert(whole))["at"]
    return rows.take(pa.array(sorted([*last.to_pylist(), *lacking.to_pylist()]), type=pa.int64()))
