"""The data directory: what one installation keeps on disk, locked so that one server at a time works in it.

lock               held by the running server; has its process id
version            the schema of this folder, a whole number
keys/development   the development key
keys/encryption    what secrets in the store are encrypted with
blobs/             the bytes of files that callers keep here
enrichments/       what jobs of enrichment over REST remember: their runs, and the answers that were paid for
tls/               the development CA, the server's certificate, the bundle for `tls trust`
run/               what belongs to the running server alone: emptied at every start
"""

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from forehearth.core.errors import Misconfigured

SCHEMA = 1
"""The schema that this program writes and reads."""

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
ADMIN_ADDRESS = "admin_address"
"""The file in `run/` that says where `/admin` is, where it has a port of its own."""


class DataDirectory(msgspec.Struct, frozen=True, kw_only=True):
    """An opened data directory: it exists, it is of our schema, and its private folders are private."""

    path: Path

    @property
    def keys(self) -> Path:
        """Folder of the credentials that this installation made."""
        return self.path / "keys"

    @property
    def blobs(self) -> Path:
        """Folder of the bytes of files."""
        return self.path / "blobs"

    @property
    def enrichments(self) -> Path:
        """Folder of the states of jobs of enrichment, which makes it."""
        return self.path / "enrichments"

    @property
    def tls(self) -> Path:
        """Folder of the development CA and what it signed."""
        return self.path / "tls"

    @property
    def run(self) -> Path:
        """Folder of what belongs to the running server alone."""
        return self.path / "run"


def default_path(environ: Mapping[str, str]) -> Path:
    """Where the data directory is when nobody says: `$XDG_DATA_HOME/forehearth`, else `~/.local/share/forehearth`.

    Raises `Misconfigured` when there is no home directory to put it in.
    """
    base = environ.get("XDG_DATA_HOME", "")
    if base.startswith("/"):  # the XDG rules: a relative path is to be ignored
        return Path(base) / "forehearth"
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        raise Misconfigured("there is no home directory for the data directory: name one with --data-dir")
    return Path(home) / ".local" / "share" / "forehearth"


def open_data_directory(path: Path) -> DataDirectory:
    """Make the directory if it is not there, check that it is ours to use, and return it. Takes no lock.

    Raises `Misconfigured` when it cannot be made, holds something else, or was made by a newer Forehearth.
    """
    data = DataDirectory(path=path.expanduser().absolute())
    try:
        data.path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        _check_schema(data.path)
        for folder in (data.keys, data.blobs, data.tls, data.run):
            _make_private(folder)
    except OSError as error:
        raise Misconfigured(
            f"the data directory {data.path} cannot be used: {error.strerror} ({error.filename}); "
            "choose another with --data-dir"
        ) from error
    return data


@contextlib.contextmanager
def locked(data: DataDirectory) -> Iterator[None]:
    """Hold the directory against a second server, and empty its `run/`.

    The kernel gives the lock back when this process ends, however it ends. Raises `Misconfigured` with the process id
    of the server that holds it.
    """
    lock = data.path / "lock"
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise Misconfigured(
                f"the data directory {data.path} is in use by another server (process {holder}): "
                "stop that one, or give this one a directory of its own with --data-dir"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        _empty(data.run)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def on_its_disk(data: DataDirectory) -> Iterator[None]:
    """Say of a full disk whose it is. Raises `Misconfigured`."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Misconfigured(
            f"no space is left on the disk of the data directory {data.path}: "
            "free some of it, or choose another with --data-dir"
        ) from error


def write_private(path: Path, content: bytes) -> None:
    """Put `content` at `path` with mode 0600, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _check_schema(path: Path) -> None:
    version = path / "version"
    try:
        text = version.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        if any(path.iterdir()):
            raise Misconfigured(
                f"{path} is not empty and not a data directory of Forehearth: choose another with --data-dir"
            ) from None
        path.chmod(PRIVATE_FOLDER)
        write_private(version, f"{SCHEMA}\n".encode())
        return
    if not text.isdigit():
        raise Misconfigured(f"{version} does not hold a schema version: restore it, or choose another --data-dir")
    if int(text) > SCHEMA:
        raise Misconfigured(
            f"the data directory {path} was written by a newer Forehearth (schema {text}, this one reads {SCHEMA}): "
            "upgrade, or choose another with --data-dir"
        )


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.getuid():
        raise Misconfigured(f"{folder} belongs to another user: choose another directory with --data-dir")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(PRIVATE_FOLDER)


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
