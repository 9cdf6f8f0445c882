"""A folder of Parquet files, one a chunk, each written whole under a name that is the same each time."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from forehearth.enrichment.arrow import pa, parquet
from forehearth.enrichment.places import require_writable
from forehearth.enrichment.sink import Chunk, SinkFailed

_MARKS: Final = "forehearth.marks"
_MOST: Final = 300
"""Characters of what is said of an error."""


class ParquetFolder:
    """The folder, for rows of a schema. `application` is what tells the files of one job and source from others."""

    def __init__(self, folder: Path, *, application: str, schema: Any) -> None:
        self._folder = folder
        self._schema = schema
        self._application = application
        self._name = re.compile(rf"part-{re.escape(application)}-([0-9]{{8}})\.parquet")

    def landed(self) -> int:
        """See `sink.Sink`."""
        try:
            names = [each.name for each in self._folder.iterdir()]
        except FileNotFoundError:
            return 0
        except NotADirectoryError:
            raise SinkFailed(f"sink: {self._folder} is no folder: name another one") from None
        except OSError as error:
            raise _failed(self._folder, "read", error) from error
        found = map(self._name.fullmatch, names)
        return max((int(each.group(1)) for each in found if each), default=0)

    def require_writable(self) -> None:
        """See `sink.Sink`."""
        try:
            require_writable(self._folder)
            parquet.write_table(self._schema.empty_table(), pa.BufferOutputStream())
        except (OSError, pa.ArrowException) as error:
            raise _failed(self._folder, "written", error) from error

    def write(self, chunk: Chunk) -> bool:
        """See `sink.Sink`."""
        path = self._path(chunk.number)
        if path.exists():
            return False
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        note = chunk.note | ({_MARKS: msgspec.json.encode(chunk.marks).decode()} if chunk.marks else {})
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            rows = pa.Table.from_batches([chunk.rows]).replace_schema_metadata(note)
            parquet.write_table(rows, beside)
            with beside.open("rb") as file:
                os.fsync(file.fileno())
            os.link(beside, path)  # which, other than a renaming, does not take the place of what is there
        except FileExistsError:
            return False
        except (OSError, pa.ArrowException) as error:
            raise _failed(path, "written", error) from error
        finally:
            beside.unlink(missing_ok=True)
        return True

    def marks(self, names: Sequence[str]) -> Mapping[str, int]:
        """See `sink.Sink`. Each file has them all."""
        found = msgspec.json.decode(self.note(self.landed()).get(_MARKS, "{}"), type=dict[str, int])
        return {name: found[name] for name in names if name in found}

    def identity(self) -> str:
        """See `sink.Sink`: the folder, which another one of its name is not."""
        try:
            return f"{self._folder}#{self._folder.stat().st_ino}"
        except FileNotFoundError:
            return ""

    def some(self, rows: int) -> list[dict[str, Any]]:
        """See `sink.Sink`."""
        number = self.landed()
        if not number:
            return []
        path = self._path(number)
        try:
            with parquet.ParquetFile(path) as file:
                found: list[dict[str, Any]] = next(
                    file.iter_batches(batch_size=rows), file.schema_arrow.empty_table()
                ).to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise _failed(path, "read", error) from error
        return found

    def note(self, number: int) -> Mapping[str, str]:
        """See `sink.Sink`."""
        path = self._path(number)
        try:
            metadata = parquet.read_schema(path).metadata or {}
        except FileNotFoundError:
            return {}
        except (OSError, pa.ArrowException) as error:
            raise _failed(path, "read", error) from error
        return {name.decode(): value.decode() for name, value in metadata.items()}

    def _path(self, number: int) -> Path:
        return self._folder / f"part-{self._application}-{number:08}.parquet"


def _failed(path: Path, deed: str, error: Exception) -> SinkFailed:
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:_MOST]
    return SinkFailed(f"sink: {path} cannot be {deed}: {reason}")
