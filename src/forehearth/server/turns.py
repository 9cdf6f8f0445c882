"""The turns at issuers, as files that all workers of this server share: one asks, and the others read what it heard.

They are in `run/` of the data directory, which is private, and emptied when a server starts.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from forehearth.ports.turns import Heard
from forehearth.server.data_directory import PRIVATE_FILE, PRIVATE_FOLDER, write_private

_LOOK_SECONDS = 0.05
_log = logging.getLogger("forehearth.identity")


class SharedTurns:
    """The `ports.turns.Turns` of a worker."""

    def __init__(self, run: Path) -> None:
        self._folder = run / "issuers"
        self._folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)

    @contextlib.asynccontextmanager
    async def of(self, issuer: str) -> AsyncIterator["SharedTurn"]:
        """See `ports.turns`."""
        path = self._folder / hashlib.sha256(issuer.encode()).hexdigest()
        lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            while not _taken(lock):  # noqa: ASYNC110 - other processes set no event
                await asyncio.sleep(_LOOK_SECONDS)
            yield SharedTurn(path)
        finally:
            os.close(lock)


class SharedTurn:
    """A `ports.turns.Turn`, while its lock is held."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def heard(self) -> Heard | None:
        """See `ports.turns`."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Heard)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            _log.warning("what another worker heard of an issuer cannot be read: %s", error)
            return None

    def tell(self, heard: Heard) -> None:
        """See `ports.turns`. Where it cannot be left, each worker asks by itself."""
        try:
            write_private(self._path, msgspec.json.encode(heard))
        except OSError as error:
            _log.warning("other workers cannot be told what an issuer said: %s", error.strerror)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
