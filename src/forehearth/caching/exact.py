"""Answers by scope and fingerprint: within bounds of number, bytes and age; the one used longest ago makes room."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

from forehearth.caching.answers import Answer
from forehearth.caching.scope import Chosen, Scope

_LARGEST_SHARE: Final = 8
"""An answer that would take more than one part in so many of the bytes is not kept."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One answer, where it belongs, and what it was the answer to."""

    scope: Scope
    exact: bytes
    answer: Answer
    size: int


class Answers:
    """The answers of one deployment in one worker, however they are found: one bound, one order of leaving.

    None is older than `ttl` seconds, the longest that any use of them allows. `dropped` is told of each that goes,
    whatever the reason.
    """

    def __init__(
        self, *, entries: int, size: int, ttl: float, dropped: Callable[[Entry], None] = lambda _: None
    ) -> None:
        self._most_entries = entries
        self._most_bytes = size
        self.largest = size // _LARGEST_SHARE
        """Bytes of the largest answer that is kept."""
        self._ttl = ttl
        self._dropped = dropped
        self._kept: OrderedDict[tuple[Scope, bytes], Entry] = OrderedDict()
        self._by_age: OrderedDict[Entry, None] = OrderedDict()
        self.bytes = 0
        """What they take together, about."""

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, scope: Scope, exact: bytes, *, since: float) -> Entry | None:
        """The answer to the same call in the same scope; None when there is none, or none made after `since`."""
        found = self._kept.get((scope, exact))
        if found is None or found.answer.made <= since:
            return None
        self.used(found)
        return found

    def used(self, entry: Entry) -> None:
        """Say that an answer was given, so that it stays longer than others."""
        self._kept.move_to_end((entry.scope, entry.exact))

    def put(self, scope: Scope, exact: bytes, answer: Answer, *, beside: int = 0) -> Entry | None:
        """Keep an answer that takes `beside` bytes elsewhere; None where it is too large to be kept."""
        size = answer.size + beside
        if size > self.largest:
            return None
        before = self._kept.get((scope, exact))
        if before is not None:
            self.drop(before)
        self.expire(answer.made)
        entry = self._kept[scope, exact] = Entry(scope=scope, exact=exact, answer=answer, size=size)
        self._by_age[entry] = None
        self.bytes += size
        while len(self._kept) > self._most_entries or self.bytes > self._most_bytes:
            self.drop(next(iter(self._kept.values())))
        return entry

    def drop(self, entry: Entry) -> None:
        """Let one of them go."""
        del self._kept[entry.scope, entry.exact], self._by_age[entry]
        self.bytes -= entry.size
        self._dropped(entry)

    def expire(self, now: float) -> None:
        """Let those go that nobody is given any more."""
        while self._by_age and (oldest := next(iter(self._by_age))).answer.made <= now - self._ttl:
            self.drop(oldest)

    def purge(self, chosen: Chosen) -> int:
        """Let all of these scopes go; how many there were."""
        gone = [each for each in self._kept.values() if chosen.has(each.scope)]
        for each in gone:
            self.drop(each)
        return len(gone)
