"""Vectors of length one, and which of them point where another one points: all are looked at, in two passes.

A vector is kept twice: as 16-bit floats, and as a code of 128 bits, each of which says on which side of a random
hyperplane it lies. Two vectors with the angle a between them differ in each bit with probability a / pi, so the number
of bits in which codes differ tells whether the angle may be small enough. That pass over 100,000 vectors reads 1.6 MB
and takes less than a millisecond; the few that are left are compared in full.

The first pass may lose a vector whose angle is just within the bound: with `_MARGIN` standard deviations allowed for,
one in some 30,000 of those that lie on the bound itself, and practically none of the nearer ones. That costs a hit.
"""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_BITS: Final = 128
_WORDS: Final = _BITS // 64
_MARGIN: Final = 4.0
_COMPARED: Final = 4
"""For each that is asked for, so many of the nearest by their codes are compared in full."""
_LARGEST_BLOCK: Final = 8_192
_FIRST_BLOCK: Final = 1
_SEED: Final = 20_240_131
"""Of the hyperplanes; any will do, and the same in every process makes results comparable."""

Floats = NDArray[np.float32]


class Hyperplanes:
    """Makes codes of vectors of one length."""

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        drawn = np.random.default_rng(_SEED).standard_normal((dimensions, _BITS), dtype=np.float32)
        self._planes = np.ascontiguousarray(drawn)

    def code(self, vector: Floats) -> NDArray[np.uint64]:
        """The sides on which `vector` lies."""
        return np.packbits(vector @ self._planes > 0).view(np.uint64)


class Vectors:
    """Some vectors by the order in which they were added; the last one moves into the place of one that leaves."""

    def __init__(self, planes: Hyperplanes) -> None:
        self._planes = planes
        self._blocks: list[_Block] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, vector: Floats) -> int:
        """Keep a vector of length one; its place."""
        at, within = divmod(self._count, _LARGEST_BLOCK)
        if at == len(self._blocks):
            self._blocks.append(_Block(_FIRST_BLOCK if at == 0 else _LARGEST_BLOCK, self._planes.dimensions))
        elif within == self._blocks[at].capacity:
            self._blocks[at] = self._blocks[at].doubled()
        self._blocks[at].put(within, vector, self._planes.code(vector))
        self._count += 1
        return self._count - 1

    def remove(self, place: int) -> None:
        """Let the vector at `place` go; the last one has that place now."""
        at, within = divmod(place, _LARGEST_BLOCK)
        last_at, last_within = divmod(self._count - 1, _LARGEST_BLOCK)
        self._blocks[at].copy(within, self._blocks[last_at], last_within)
        self._count -= 1
        if last_within == 0:
            self._blocks.pop()

    def near(self, vector: Floats, *, within: float, most: int) -> list[tuple[float, int]]:
        """Distances (one minus the cosine) and places of those at most `within` away, nearest first, up to `most`."""
        code = self._planes.code(vector)
        differing = np.empty(self._count, np.uint8)
        for at, block in enumerate(self._blocks):
            start = at * _LARGEST_BLOCK
            block.compare(code, differing[start : start + _LARGEST_BLOCK])
        found = np.flatnonzero(differing <= _bits_within(within))
        if len(found) > _COMPARED * most:
            found = found[np.argpartition(differing[found], _COMPARED * most)[: _COMPARED * most]]
        places: list[int] = found.tolist()
        if not places:
            return []
        rows = np.stack([self._blocks[each // _LARGEST_BLOCK].full[each % _LARGEST_BLOCK] for each in places])
        distances: list[float] = (1.0 - rows.astype(np.float32) @ vector).tolist()
        return sorted(each for each in zip(distances, places, strict=True) if each[0] <= within)[:most]


class _Block:
    """Up to so many vectors, side by side. Codes lie word by word, so that each pass over them is over one array."""

    def __init__(self, capacity: int, dimensions: int) -> None:
        self.capacity = capacity
        self.full = np.empty((capacity, dimensions), np.float16)
        self.codes = np.empty((_WORDS, capacity), np.uint64)

    def doubled(self) -> "_Block":
        """The same vectors, with room for as many again."""
        larger = _Block(self.capacity * 2, self.full.shape[1])
        larger.full[: self.capacity] = self.full
        larger.codes[:, : self.capacity] = self.codes
        return larger

    def put(self, place: int, vector: Floats, code: NDArray[np.uint64]) -> None:
        self.full[place] = vector
        self.codes[:, place] = code

    def copy(self, place: int, other: "_Block", there: int) -> None:
        self.full[place] = other.full[there]
        self.codes[:, place] = other.codes[:, there]

    def compare(self, code: NDArray[np.uint64], differing: NDArray[np.uint8]) -> None:
        """Write into `differing` in how many bits its first codes differ from `code`; for all bits it says 0.

        What differs in all lies opposite, which the comparison in full finds.
        """
        filled = len(differing)
        np.bitwise_count(self.codes[0, :filled] ^ code[0], out=differing)
        for word in range(1, _WORDS):
            differing += np.bitwise_count(self.codes[word, :filled] ^ code[word])


def normal(numbers: Any) -> Floats | None:
    """These numbers as a vector of length one; None where they point nowhere."""
    vector = np.asarray(numbers, np.float32)
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if math.isfinite(length) and length > 0.0 else None


def _bits_within(distance: float) -> int:
    """In how many bits the codes of vectors may differ that are at most so far apart."""
    share = math.acos(max(-1.0, 1.0 - distance)) / math.pi
    return math.ceil(_BITS * share + _MARGIN * math.sqrt(_BITS * share * (1.0 - share)))
