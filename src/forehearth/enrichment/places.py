"""Where tables are: paths of this machine, which begin at the job file's folder, and URLs of storages."""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from forehearth.core.secret import Secret

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
QUARANTINE: Final = "__quarantine"
"""The end of the name of the table beside a sink, where rows go that failed."""


def is_url(path: str) -> bool:
    """Whether it is the URL of a storage, and no path."""
    return _URL.match(path) is not None


def place(path: str, folder: Path) -> str:
    """A path or URL, without a slash at its end."""
    return path.rstrip("/") if is_url(path) else str((folder / path).absolute()).rstrip("/")


def require_writable(folder: Path) -> None:
    """See that a folder can be written to, or made where it is not there. Nothing is left behind. Raises `OSError`."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    with tempfile.TemporaryFile(dir=there):
        pass


class Stored(Protocol):
    """What says how a storage is asked."""

    @property
    def storage_options(self) -> Mapping[str, str]:
        """What may be seen."""
        ...

    @property
    def storage_secrets(self) -> Mapping[str, Secret]:
        """What may not."""
        ...


def options(table: Stored) -> dict[str, str] | None:
    """What a table's storage asks for, as Delta's library takes it."""
    secrets = {name: secret.reveal() for name, secret in table.storage_secrets.items()}
    return {**table.storage_options, **secrets} or None
