"""What a disk says no with, in the words of the ports that keep bytes on it."""

import contextlib
import errno
from collections.abc import Iterator
from typing import Final

from forehearth.core.document import StoreFailed
from forehearth.core.errors import StorageFull

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextlib.contextmanager
def explained(*, no_room: str, failed: str) -> Iterator[None]:
    """Raise `StorageFull` with `no_room`, or `StoreFailed` with `failed` and what the system says, for an `OSError`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(no_room) from None
        raise StoreFailed(f"{failed}: {error.strerror}") from error
