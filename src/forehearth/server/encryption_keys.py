"""The keys that secrets are sealed with before they are kept: the configuration's, or a file of the installation.

The file, `keys/encryption` in the data directory, has a key a line in base64, the one that seals first. Every process
reads it each time, and whoever writes it holds a lock, so that no worker seals with what another one has forgotten.
"""

import base64
import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from forehearth.connections.sealing import KEY_BYTES, AeadSealer, key_id
from forehearth.core.errors import Conflict, Misconfigured
from forehearth.core.secret import Secret
from forehearth.core.store_settings import StoreSettings, decoded
from forehearth.ports.sealer import Sealer, SealingKeys
from forehearth.server.data_directory import PRIVATE_FILE, DataDirectory, write_private

FILE: Final = "encryption"
_LEAST_KEPT: Final = 2


def sealer(settings: StoreSettings, data: DataDirectory) -> Sealer:
    """What seals secrets for this store."""
    keys: SealingKeys
    if settings.encryption_keys:
        keys = GivenKeys([decoded(each.reveal()) for each in settings.encryption_keys])
    elif settings.postgres is not None:
        keys = NoKeys()
    else:
        keys = FileKeys(data.keys / FILE)
    return AeadSealer(keys, secrets.token_bytes)


def written_keys(data: DataDirectory) -> tuple[Secret, ...]:
    """The keys of the file as they stand in it, for the log, which takes them out; none where there is no file."""
    try:
        return tuple(map(Secret, (data.keys / FILE).read_text(encoding="ascii").split()))
    except (OSError, UnicodeDecodeError):
        return ()


class GivenKeys:
    """Those that the configuration gives. A `ports.sealer.SealingKeys`."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    def all(self) -> Sequence[bytes]:
        """See `ports.sealer`."""
        return self._keys

    def renew(self) -> bool:
        """See `ports.sealer`."""
        return False

    def forget(self, used: Collection[str]) -> None:
        """See `ports.sealer`. The operator takes out of the configuration what is not used."""


class NoKeys:
    """A store that servers share has no key that one of them made. A `ports.sealer.SealingKeys`."""

    def all(self) -> Sequence[bytes]:
        """See `ports.sealer`."""
        raise Conflict(
            "This store is shared, so the key that credentials are encrypted with has to be given: set "
            "store.encryption_keys, the same for every server."
        )

    def renew(self) -> bool:
        """See `ports.sealer`."""
        self.all()
        return False

    def forget(self, used: Collection[str]) -> None:
        """See `ports.sealer`. There is nothing to forget."""


class FileKeys:
    """Those of the installation. A `ports.sealer.SealingKeys`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> Sequence[bytes]:
        """See `ports.sealer`."""
        found = self._read()
        if found:
            return found
        with self._locked():
            found = self._read()
            if not found:
                found = [secrets.token_bytes(KEY_BYTES)]
                self._write(found)
        return found

    def renew(self) -> bool:
        """See `ports.sealer`."""
        with self._locked():
            self._write([secrets.token_bytes(KEY_BYTES), *self._read()])
        return True

    def forget(self, used: Collection[str]) -> None:
        """See `ports.sealer`."""
        with self._locked():
            found = self._read()
            old = [each for each in found[_LEAST_KEPT:] if key_id(each) in used]
            if len(old) < len(found[_LEAST_KEPT:]):
                self._write([*found[:_LEAST_KEPT], *old])

    def _read(self) -> list[bytes]:
        """The keys; none where there is no file yet."""
        try:
            mode = stat.S_IMODE(self._path.stat().st_mode)
            if mode & 0o077:
                raise Misconfigured(
                    f"{self._path} can be read by others (mode {mode:04o}): run `chmod 600 {self._path}`"
                )
            lines = self._path.read_text(encoding="ascii").split()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(f"{self._path} cannot be read: {type(error).__name__}") from error
        try:
            found = [decoded(line) for line in lines]
        except ValueError:
            found = []
        if not found:
            raise Misconfigured(f"{self._path} does not hold keys: restore it from your backup")
        return found

    def _write(self, keys: Sequence[bytes]) -> None:
        write_private(self._path, b"".join(base64.urlsafe_b64encode(each) + b"\n" for each in keys))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        lock = os.open(self._path.with_name(f"{FILE}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
