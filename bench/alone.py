"""One run at a time: two would share cores, certificates and files, and both would be wrong."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from bench.errors import OccupiedError


@contextlib.contextmanager
def alone(work: Path) -> Iterator[None]:
    """Hold the work folder; raise `OccupiedError` when another run holds it."""
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OccupiedError(f"another run is under way: it holds {lock.name}") from None
        yield
