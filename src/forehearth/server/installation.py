"""What an installation keeps for itself: secrets of its own, made once, in `keys/` of the data directory."""

import base64
import binascii
import secrets
import stat
from pathlib import Path

from forehearth.core.errors import Misconfigured
from forehearth.server.data_directory import DataDirectory, write_private

SECRET_BYTES = 32


def pepper(data: DataDirectory) -> bytes:
    """What keys are hashed with before they are kept. Made when it is not there: call it under the lock at first.

    Raises `Misconfigured` when it cannot be read, or can be by others. Without it, no key that was made is good.
    """
    return _secret(data.keys / "pepper")


def _secret(path: Path) -> bytes:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise Misconfigured(f"{path} can be read by others (mode {mode:04o}): run `chmod 600 {path}`")
        found = base64.urlsafe_b64decode(path.read_bytes().strip())
    except FileNotFoundError:
        made = secrets.token_bytes(SECRET_BYTES)
        write_private(path, base64.urlsafe_b64encode(made) + b"\n")
        return made
    except (OSError, binascii.Error) as error:
        raise Misconfigured(f"{path} cannot be read: {error}") from error
    if len(found) != SECRET_BYTES:
        raise Misconfigured(f"{path} does not hold a secret: restore it, or remove it and make every key anew")
    return found
