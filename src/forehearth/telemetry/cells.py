"""Numbers that several processes write and any of them can sum: one float64 a series, in a file of each worker.

A worker's numbers are two files: `<worker>.names`, one JSON line a series, and `<worker>.values`, its cells in the
same order, mapped into memory. Adding to a cell is one store into that memory, so it costs no system call, another
process reads it at once, and it outlives `kill -9`. Who takes a dead worker's place goes on with its files, so sums
never go back.
"""

import mmap
import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

CAPACITY = 131_072
"""Cells of one worker: a mebibyte of file, and of memory what is in use. There is room for some 300 deployments on
every surface."""

CELL_BYTES = 8


class Series(msgspec.Struct, frozen=True, array_like=True):
    """The name of one number: its metric, with suffix, and its labels in the metric's order."""

    metric: str
    labels: tuple[tuple[str, str], ...] = ()


class Sample(msgspec.Struct, frozen=True):
    """A series and what its number was when it was read."""

    series: Series
    value: float


class Cells:
    """The cells of one worker. `folder=None` keeps them in this process's memory only."""

    def __init__(self, folder: Path | None = None, worker: str = "0") -> None:
        self._known: dict[Series, int] = {}
        self._names = -1
        if folder is None:
            self.values = memoryview(bytearray(CAPACITY * CELL_BYTES)).cast("d")
            return
        folder.mkdir(mode=0o700, exist_ok=True)
        self._names = os.open(folder / f"{worker}.names", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._resume(folder / f"{worker}.names")
        descriptor = os.open(folder / f"{worker}.values", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _reserve(descriptor, CAPACITY * CELL_BYTES)
            self.values = memoryview(mmap.mmap(descriptor, CAPACITY * CELL_BYTES)).cast("d")
        finally:
            os.close(descriptor)

    def cell(self, metric: str, *labels: tuple[str, str]) -> int:
        """The index in `values` of this series; a new one begins at zero. The last cell takes what has no room."""
        series = Series(metric, labels)
        known = self._known.get(series)
        if known is not None:
            return known
        index = len(self._known)
        if index >= CAPACITY - 1 or not self._write_name(msgspec.json.encode(series) + b"\n"):
            return CAPACITY - 1
        self._known[series] = index
        return index

    def add(self, amount: float, metric: str, *labels: tuple[str, str]) -> None:
        """Add to this series."""
        self.values[self.cell(metric, *labels)] += amount

    def samples(self) -> Iterator[Sample]:
        """Every series of this worker, as it is now."""
        for series, index in self._known.items():
            yield Sample(series, self.values[index])

    def close(self) -> None:
        """Give back the file that names are written to. What was counted stays."""
        if self._names >= 0:
            os.close(self._names)
            self._names = -1

    def _write_name(self, line: bytes) -> bool:
        """Add a name to the file, whole; False where it does not take it, for counting must not fail a call."""
        if self._names < 0:
            return True
        try:
            before = os.fstat(self._names).st_size
            if os.write(self._names, line) == len(line):
                return True
            os.ftruncate(self._names, before)
        except OSError:
            pass
        return False

    def _resume(self, names: Path) -> None:
        """Take up what the worker before us named; a line that it did not finish was never a series."""
        written = names.read_bytes()
        whole = written[: written.rfind(b"\n") + 1]
        os.ftruncate(self._names, len(whole))
        for line in whole.splitlines():
            self._known[msgspec.json.decode(line, type=Series)] = len(self._known)


def _reserve(descriptor: int, size: int) -> None:
    """Give the file its size and, where that can be had, its space: a mapped page without space is a dead process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.ftruncate(descriptor, size)


def read_all(folder: Path) -> Sequence[Sample]:
    """Every series of every worker that ever wrote into `folder`, one sample a worker and series."""
    samples: list[Sample] = []
    for names in sorted(folder.glob("*.names")):
        values = array("d")
        try:
            written = names.read_bytes()
            lines = written[: written.rfind(b"\n") + 1].splitlines()
            with names.with_suffix(".values").open("rb") as file:
                stored = file.read(len(lines) * CELL_BYTES)
        except FileNotFoundError:  # a worker that is just making its files
            continue
        values.frombytes(stored[: len(stored) // CELL_BYTES * CELL_BYTES])
        samples += [
            Sample(msgspec.json.decode(line, type=Series), value) for line, value in zip(lines, values, strict=False)
        ]
    return samples
