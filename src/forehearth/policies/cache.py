"""Answers calls from what was answered before: the same call first, then one that asks the same in other words.

It stands outside of all that counts usage and asks backends: an answer from here has no attempts and costs its caller
no tokens, whatever the usage in its body says, which is that of the call it was made for. Streams are kept when they
ended well, and given again as streams; a call that wants a stream is never answered by what was none, nor the other way
round.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from forehearth.caching import storable
from forehearth.caching.answers import Answer
from forehearth.caching.cache import Asked, Cache
from forehearth.caching.exact import Entry
from forehearth.caching.fingerprint import Fingerprint, NotCacheable, fingerprint, question
from forehearth.caching.scope import Scope
from forehearth.core.cache_settings import CacheSettings
from forehearth.core.call import Call
from forehearth.core.clock import Clock
from forehearth.core.errors import ForehearthError
from forehearth.core.exchange import Header, Reply
from forehearth.core.usage import Usage
from forehearth.policies.onion import Proceed
from forehearth.policies.recorded import Recorded
from forehearth.ports.cache_meter import CacheMeter
from forehearth.ports.embedder import Embedder

HEADER: Final = b"x-forehearth-cache"
_NAME: Final = "cache"
_OK: Final = 200
_NOTHING_USED: Final = Usage(prompt=0)


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the answer to a call will be kept."""

    scope: Scope
    call: Fingerprint
    asked: Asked | None
    generation: int


class AnswerAgain:
    """A policy: the cache of one deployment. Without an `embedder` there is no semantic one."""

    def __init__(
        self,
        wanted: CacheSettings,
        cache: Cache,
        *,
        scope: Callable[[Call], Scope],
        embedder: Embedder | None,
        meter: CacheMeter,
        clock: Clock,
    ) -> None:
        self._wanted = wanted
        self._cache = cache
        self._scope = scope
        self._embedder = embedder
        self._meter = meter
        self._now = clock.monotonic

    async def __call__(self, call: Call, proceed: Proceed) -> Reply:
        """Answer from the cache, or pass the call on and keep what comes back."""
        try:
            fresh = _wants_fresh(call)
            found = fingerprint(call, max_temperature=self._wanted.max_temperature)
        except NotCacheable as why:
            call.record.say(_NAME, f"Not asked: {why}.")
            self._meter.looked_up("bypass")
            return await proceed(call)
        scope, generation = self._scope(call), self._cache.generation
        if self._wanted.exact is not None and not fresh:
            entry = self._cache.same(scope, found)
            if entry is not None:
                self._meter.looked_up("exact")
                return self._given(call, entry, "The same call was answered")
        asked = await self._asked(call, found)
        call.record.cache = "miss"
        if asked is not None and not fresh:
            reply = self._alike(call, scope, asked)
            if reply is not None:
                return reply
        self._meter.looked_up(call.record.cache)
        place = _Place(scope=scope, call=found, asked=asked, generation=generation)
        return self._told(call, await proceed(call), place)

    async def _asked(self, call: Call, found: Fingerprint) -> Asked | None:
        """The question with its vector; None where there is no semantic cache for it."""
        wanted = self._wanted.semantic
        if self._embedder is None or wanted is None:
            return None
        try:
            asked = question(found, wanted)
        except NotCacheable as why:
            call.record.say(_NAME, f"The semantic cache was not asked: {why}.")
            return None
        try:
            return Asked(question=asked, vector=await self._embedder.embed(asked.message, call))
        except ForehearthError as error:
            call.record.say(_NAME, f"The semantic cache was not asked: there was no vector ({error.code}).")
            self._meter.unembedded()
            return None

    def _alike(self, call: Call, scope: Scope, asked: Asked) -> Reply | None:
        """The answer to a question that asks the same, where it is to be given."""
        found = self._cache.alike(scope, asked)
        if found.entry is None:
            if found.difference:
                self._meter.refused(found.difference)
                call.record.say(_NAME, f"A near one, {found.score:.3f} away, was refused for its {found.difference}.")
            elif self._wanted.semantic is not None:
                call.record.say(_NAME, f"None that was answered is within {self._wanted.semantic.score_threshold:g}.")
            return None
        words = f"One that asks the same, {found.score:.3f} away, was answered"
        if self._wanted.semantic is not None and self._wanted.semantic.mode == "on":
            self._meter.looked_up("semantic")
            return self._given(call, found.entry, words)
        call.record.cache = "shadow"
        call.record.say(_NAME, f"{words} {self._cache.age(found.entry)} s ago; only noted.")
        return None

    def _given(self, call: Call, entry: Entry, words: str) -> Reply:
        age = self._cache.age(entry)
        record = call.record
        record.cache, record.usage = "hit", _NOTHING_USED
        record.say(_NAME, f"{words} {age} s ago.")
        return entry.answer.reply((HEADER, b"hit"), (b"age", b"%d" % age))

    def _told(self, call: Call, reply: Reply, place: _Place) -> Reply:
        """The reply with what the cache says of it; kept now, or when its stream has ended."""
        headers: tuple[Header, ...] = (*reply.headers, (HEADER, call.record.cache.encode()))
        if place.asked is None and self._wanted.exact is None:
            return msgspec.structs.replace(reply, headers=headers)
        if reply.stream is None:
            objection = storable.whole(call.operation, reply.body) if reply.status == _OK else "it is no success"
            self._keep(call, place, objection, lambda: Answer.of(reply, self._now()))
            return msgspec.structs.replace(reply, headers=headers)

        def ended(pieces: tuple[bytes, ...]) -> None:
            self._keep(call, place, storable.stream(pieces), lambda: Answer.of(reply, self._now(), pieces))

        stream = Recorded(reply.stream, most=self._cache.largest, ended=ended)
        return msgspec.structs.replace(reply, headers=headers, stream=stream)

    def _keep(self, call: Call, place: _Place, objection: str, answer: Callable[[], Answer]) -> None:
        kept = not objection and self._cache.keep(place.scope, place.call, place.asked, answer(), place.generation)
        if not kept:
            reason = objection or "it is too large, or the cache was purged meanwhile"
            call.record.say(_NAME, f"The answer was not kept: {reason}.")
        self._meter.kept(stored=kept)


def _wants_fresh(call: Call) -> bool:
    """Whether the caller wants an answer made anew. Raises `NotCacheable` where it wants none kept."""
    wishes = call.headers.get(b"cache-control", b"").lower()
    if b"no-store" in wishes:
        raise NotCacheable("the caller said no-store")
    return b"no-cache" in wishes
