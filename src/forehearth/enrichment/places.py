"""Where tables are: paths of this machine, which begin at the job file's folder, and URLs of storages."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from forehearth.core.secret import Secret

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
QUARANTINE: Final = "__quarantine"
"""The end of the name of the table beside a sink, where rows go that failed."""


def place(path: str, folder: Path) -> str:
    """A path or URL, without a slash at its end."""
    return path.rstrip("/") if _URL.match(path) else str((folder / path).absolute()).rstrip("/")


def options(storage: Mapping[str, Secret]) -> dict[str, str] | None:
    """What a storage asks for, as Delta's library takes it."""
    return {name: secret.reveal() for name, secret in storage.items()} or None
