"""What comes in by itself: files that are put into a folder, and versions of a Delta table. Each is a source.

A file or a version has a fingerprint of its own, so its rows land once whoever finds it, and however often. What a
version changed is kept in a file while a run works on it, because the order in which it is read is not promised.
"""

import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from forehearth.core.enrichment_settings import CsvSource, DeltaSource, JsonlSource, ParquetSource
from forehearth.core.errors import Misconfigured
from forehearth.enrichment.arrow import pa, parquet, pc, plain
from forehearth.enrichment.delta_library import deltalake, exceptions, said
from forehearth.enrichment.job_file import JobFile
from forehearth.enrichment.places import options, place
from forehearth.enrichment.source import Source
from forehearth.enrichment.sources.files import OPENERS, found, of_parquet

SETTLED: Final = 1.0
"""Seconds for which a file has not been written to before it is read: whoever writes it may not be done."""
_UNREADY: Final = re.compile(r"[._].*|.*\.(tmp|part|crdownload|inprogress)")
"""Names of files that are not there yet, by what writers call them."""
_CHANGES: Final = re.compile(r"changes-.+\.parquet")
_NOT_OF_NAMES: Final = re.compile(r"[^0-9A-Za-z-]")
_KINDS: Final = ("insert", "update_postimage")


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """One of them. `key` tells it from others without reading it."""

    key: tuple[str, int, int]
    name: str
    version: str | None = None
    """The source's version, where that is known without reading it."""
    open: Callable[[], Source]
    """It blocks. Raises `Misconfigured`."""
    is_gone: Callable[[], bool] = lambda: False
    """Whether it is not there any more. It blocks."""


def arrivals(file: JobFile, state: Path, known: set[tuple[str, int, int]], now: float) -> list[Arrival]:
    """Those that are there and not among the `known`, the oldest first. It blocks. `now` is in Unix seconds.

    Raises `Misconfigured` for a source in which nothing can come in.
    """
    source = file.job.source
    if isinstance(source, DeltaSource):
        return _versions(source, file.folder, state, known)
    if isinstance(source, CsvSource | JsonlSource | ParquetSource):
        return _files(source, file.folder, known, now)
    raise Misconfigured("nothing comes in by itself in a source of this format: run the job each time instead")


def _files(
    source: CsvSource | JsonlSource | ParquetSource, folder: Path, known: set[tuple[str, int, int]], now: float
) -> list[Arrival]:
    opener, ending = OPENERS[type(source)]
    come = []
    for path in found(source.path, folder, ending, may_be_none=True):
        try:
            about = path.stat()
        except FileNotFoundError:
            continue
        key = (str(path), about.st_size, about.st_mtime_ns)
        if about.st_size and key not in known and not _UNREADY.fullmatch(path.name) and now - about.st_mtime >= SETTLED:
            one = msgspec.structs.replace(source, path=str(path))
            opened = functools.partial(opener, one, folder)
            arrival = Arrival(key=key, name=path.name, open=opened, is_gone=functools.partial(_is_gone, path))
            come.append((about.st_mtime_ns, arrival))
    return [each for _, each in sorted(come, key=lambda each: (each[0], each[1].key))]


def _is_gone(path: Path) -> bool:
    return not path.exists()


def _versions(source: DeltaSource, folder: Path, state: Path, known: set[tuple[str, int, int]]) -> list[Arrival]:
    """The versions from the one that is named on, or all."""
    where = place(source.path, folder)
    try:
        table = deltalake.DeltaTable(where, storage_options=options(source))
    except (exceptions.DeltaError, OSError, ValueError) as error:
        raise _unreadable(source, error) from error
    name = str(table.metadata().id)
    come = []
    for version in range(source.version or 0, table.version() + 1):
        key = (name, version, 0)
        if key not in known:
            opened = _changes(source, table, state, version)
            told = _version(name, version)
            come.append(Arrival(key=key, name=f"version {version}", version=told, open=opened))
    return come


def _changes(source: DeltaSource, table: Any, state: Path, version: int) -> Callable[[], Source]:
    def opened() -> Source:
        path = state / f"changes-{_NOT_OF_NAMES.sub('_', str(table.metadata().id))}-{version}.parquet"
        try:
            if not path.exists():
                _keep(table, version, path)
        except (exceptions.DeltaError, pa.ArrowException, ValueError) as error:
            raise _unreadable(source, error) from error
        kept = of_parquet([path])
        return msgspec.structs.replace(kept, version=_version(str(table.metadata().id), version))

    return opened


def _version(table: str, version: int) -> str:
    return f"delta:{table}@{version}:changes"


def _keep(table: Any, version: int, path: Path) -> None:
    """Write down the rows that a version brought, new or changed."""
    reader = pa.RecordBatchReader.from_stream(table.load_cdf(starting_version=version, ending_version=version))
    whole = plain(reader.schema)
    names = [name for name in whole.names if not name.startswith(("_change_type", "_commit_"))]
    schema = pa.schema([whole.field(name) for name in names])
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with parquet.ParquetWriter(beside, schema) as writer:
        for batch in _wanted(each.cast(whole) for each in reader):
            writer.write_batch(batch.select(names))
    beside.replace(path)


def _wanted(batches: Iterable[Any]) -> Iterator[Any]:
    for batch in batches:
        kinds = batch.column("_change_type")
        yield batch.filter(pc.is_in(kinds, pa.array(_KINDS, type=kinds.type)))


def forget_changes(state: Path) -> None:
    """Remove what was kept of versions, once their rows have landed."""
    for path in state.iterdir():
        if _CHANGES.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _unreadable(source: DeltaSource, error: Exception) -> Misconfigured:
    words = said(error)
    hint = " (set delta.enableChangeDataFeed on it, and name the version after that)" if "change data" in words else ""
    return Misconfigured(f"source: the changes of {source.path} cannot be read: {words}{hint}")
