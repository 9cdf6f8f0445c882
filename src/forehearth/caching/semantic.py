"""Answers by the meaning of the last message, within a partition of calls that are alike in all the rest.

The partition is chosen by value before a vector is looked at: the scope, and the digest of everything in the call but
the last user message. What is in another one is not compared at all. Within it the nearest messages are taken, and of
these the first in which the guards find no difference.
"""

from typing import Final

import msgspec

from forehearth.caching.cache import Asked, Found
from forehearth.caching.exact import Entry
from forehearth.caching.guards import Meaning, alike, difference, meaning
from forehearth.caching.scope import Scope
from forehearth.caching.vectors import Hyperplanes, Vectors, normal

_LOOKED_AT: Final = 16
"""Of the messages that are near, so many: each costs a comparison, and the farther ones are less likely to be alike."""
_ROW_BYTES, _WORD_BYTES = 600, 80
"""About what a message takes besides its vector, and each of its words."""
_NUMBER_BYTES = 2

_Key = tuple[Scope, bytes, int]
"""Scope, context, and the length of the vectors."""


class _Row(msgspec.Struct, eq=False):
    entry: Entry
    meaning: Meaning


class _Partition:
    """Calls that are alike in all but their last message."""

    def __init__(self, planes: Hyperplanes) -> None:
        self.vectors = Vectors(planes)
        self.rows: list[_Row] = []


class SemanticIndex:
    """A `cache.Index`: the questions to which a deployment's answers belong."""

    def __init__(self) -> None:
        self._planes: dict[int, Hyperplanes] = {}
        self._partitions: dict[_Key, _Partition] = {}
        self._places: dict[Entry, tuple[_Key, int]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def find(self, scope: Scope, asked: Asked, *, within: float, since: float) -> Found:
        """See `cache.Index`."""
        partition = self._partitions.get(_key(scope, asked))
        vector = None if partition is None else normal(asked.vector)
        if partition is None or vector is None:
            return Found()
        near = partition.vectors.near(vector, within=within, most=_LOOKED_AT)
        wanted = meaning(asked.question.message) if near else None
        refused = Found()
        for score, place in near:
            row = partition.rows[place]
            if row.entry.answer.made <= since or wanted is None:
                continue
            if alike(wanted, row.meaning):
                return Found(entry=row.entry, score=score)
            if not refused.difference:
                refused = Found(score=score, difference=difference(wanted, row.meaning))
        return refused

    def add(self, entry: Entry, asked: Asked) -> None:
        """See `cache.Index`. What has no direction is never near anything, and so it is not kept."""
        vector = normal(asked.vector)
        if vector is None:
            return
        key = _key(entry.scope, asked)
        partition = self._partitions.get(key)
        if partition is None:
            partition = self._partitions[key] = _Partition(self._planes_for(len(vector)))
        place = partition.vectors.add(vector)
        partition.rows.append(_Row(entry, meaning(asked.question.message)))
        self._places[entry] = key, place

    def drop(self, entry: Entry) -> None:
        """See `cache.Index`."""
        found = self._places.pop(entry, None)
        if found is None:
            return
        key, place = found
        partition = self._partitions[key]
        partition.vectors.remove(place)
        last = partition.rows.pop()
        if last.entry is not entry:
            partition.rows[place] = last
            self._places[last.entry] = key, place
        if not partition.rows:
            del self._partitions[key]

    def size(self, asked: Asked) -> int:
        """See `cache.Index`."""
        words = len(asked.question.message.split())
        return _ROW_BYTES + _NUMBER_BYTES * len(asked.vector) + _WORD_BYTES * words

    def _planes_for(self, dimensions: int) -> Hyperplanes:
        if dimensions not in self._planes:
            self._planes[dimensions] = Hyperplanes(dimensions)
        return self._planes[dimensions]


def _key(scope: Scope, asked: Asked) -> _Key:
    return scope, asked.question.context, len(asked.vector)
