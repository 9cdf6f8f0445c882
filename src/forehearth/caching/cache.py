"""The cache of one deployment in one worker: what is kept, and the two ways in which it is found."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from forehearth.caching.answers import Answer
from forehearth.caching.exact import Answers, Entry
from forehearth.caching.fingerprint import Fingerprint, Question
from forehearth.caching.scope import Chosen, Scope
from forehearth.core.cache_settings import CacheSettings
from forehearth.core.clock import Clock


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question with its vector."""

    question: Question
    vector: Sequence[float]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The nearest answer that may be given; else what kept the nearest one from it."""

    entry: Entry | None = None
    score: float | None = None
    """How far apart the messages are, of the answer or of the one that was refused; None where none was near."""
    difference: str = ""
    """What a guard found; empty where none did."""


class Index(Protocol):
    """Finds entries by what was asked. `semantic.SemanticIndex` is one; it is loaded where a deployment has one."""

    def find(self, scope: Scope, asked: Asked, *, within: float, since: float) -> Found:
        """The nearest answer in this scope and context that is at most `within` away and made after `since`."""
        ...

    def add(self, entry: Entry, asked: Asked) -> None:
        """Let an answer be found by its question."""
        ...

    def drop(self, entry: Entry) -> None:
        """Let it be found no more."""
        ...

    def size(self, asked: Asked) -> int:
        """The bytes that one takes here, about."""
        ...


class Cache:
    """Answers of a deployment, found by the same call or by a question that asks the same."""

    def __init__(self, wanted: CacheSettings, index: Index | None, clock: Clock) -> None:
        self._exact_ttl = wanted.exact.ttl_seconds if wanted.exact else 0.0
        self._semantic_ttl = wanted.semantic.ttl_seconds if wanted.semantic else 0.0
        self._within = wanted.semantic.score_threshold if wanted.semantic else 0.0
        self._index = index
        self._now = clock.monotonic
        self._answers = Answers(
            entries=wanted.entries,
            size=wanted.bytes,
            ttl=max(self._exact_ttl, self._semantic_ttl),
            dropped=self._forget,
        )
        self.largest = self._answers.largest
        """Bytes of the largest answer that is kept."""
        self.generation = 0
        """Grows with every purge, so that what was asked before one is not kept after it."""

    @property
    def entries(self) -> int:
        """How many answers there are."""
        self._answers.expire(self._now())
        return len(self._answers)

    @property
    def bytes(self) -> int:
        """What they take together, about."""
        return self._answers.bytes

    def age(self, entry: Entry) -> int:
        """Whole seconds since an answer was made."""
        return int(self._now() - entry.answer.made)

    def same(self, scope: Scope, call: Fingerprint) -> Entry | None:
        """The answer to the same call in the same scope."""
        return self._answers.get(scope, call.exact, since=self._now() - self._exact_ttl)

    def alike(self, scope: Scope, asked: Asked) -> Found:
        """The answer to a question that asks the same, in the same scope and with all the rest alike."""
        if self._index is None:
            return Found()
        found = self._index.find(scope, asked, within=self._within, since=self._now() - self._semantic_ttl)
        if found.entry is not None:
            self._answers.used(found.entry)
        return found

    def keep(self, scope: Scope, call: Fingerprint, asked: Asked | None, answer: Answer, generation: int) -> bool:
        """Keep an answer; whether that was done. What was asked before a purge, or is too large, is not kept."""
        if generation != self.generation:
            return False
        index = self._index if asked is not None else None
        beside = index.size(asked) if index is not None and asked is not None else 0
        entry = self._answers.put(scope, call.exact, answer, beside=beside)
        if entry is not None and index is not None and asked is not None:
            index.add(entry, asked)
        return entry is not None

    def purge(self, chosen: Chosen) -> int:
        """Let the answers of these scopes go; how many there were."""
        self.generation += 1
        return self._answers.purge(chosen)

    def _forget(self, entry: Entry) -> None:
        if self._index is not None:
            self._index.drop(entry)
