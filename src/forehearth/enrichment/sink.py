"""What every sink is: a place that takes chunks by their numbers, each of them once."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from forehearth.core.enrichment_settings import OnError


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that land together. `number` counts from 1 within a job's fingerprint."""

    number: int
    rows: Any
    """A `RecordBatch`."""
    note: dict[str, str]
    """What is told of the commit beside it: run, source and their kin."""
    marks: Mapping[str, int] = {}
    """Where a stream was read to: written down in the same commit, and kept as long as the chunk's number is."""


class Sink(Protocol):
    """It blocks. What it raises besides `SinkFailed` is a mistake."""

    def landed(self) -> int:
        """The highest number that has landed; 0 before the first. All below it have landed too."""
        ...

    def require_writable(self) -> None:
        """See that rows can land, as far as that is told without writing; nothing is left behind. Raises `SinkFailed`.

        It is asked after `landed`, and before anything is paid.
        """
        ...

    def write(self, chunk: Chunk) -> bool:
        """Land a chunk; False where it had landed already. Chunks are written in the order of their numbers."""
        ...

    def marks(self, names: Sequence[str]) -> Mapping[str, int]:
        """The marks of these names as of the chunk that `landed` named last; what was never written has none."""
        ...

    def some(self, rows: int) -> list[dict[str, Any]]:
        """So many rows that are there, or fewer; which ones is not said."""
        ...

    def note(self, number: int) -> Mapping[str, str]:
        """What was told of a chunk that has landed; nothing where that cannot be found any more."""
        ...

    def identity(self) -> str:
        """What tells what is there from what may be there another time, or elsewhere; empty where there is nothing."""
        ...


def require_writable(sink: Sink, quarantine: Sink, on_error: OnError) -> None:
    """See that rows can land, and failed ones where they are put aside. Raises `SinkFailed`."""
    sink.require_writable()
    if on_error == "quarantine":
        quarantine.require_writable()


class SinkFailed(Exception):
    """A chunk cannot be written. The message says why; what landed before it stays."""
