"""Questions that ask the same are found within their partition, and nowhere else."""

import random
from typing import Any

from forehearth.caching.answers import Answer
from forehearth.caching.cache import Asked, Cache
from forehearth.caching.fingerprint import fingerprint, question
from forehearth.caching.scope import Chosen, Scope
from forehearth.caching.semantic import SemanticIndex
from forehearth.core.cache_settings import CacheSettings, ExactCacheSettings, SemanticCacheSettings
from forehearth.testing.clock import VirtualClock
from tests.unit.caching.calls import call, chat

HERE, THERE = Scope(project=""), Scope(project="sales")
EAST, NORTH = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
NEARLY_EAST = (1.0, 0.2, 0.0)
SEMANTIC = SemanticCacheSettings(embeddings="vectors", score_threshold=0.1, ttl_seconds=60)


class Shelf:
    """A cache on a clock, filled and asked by texts; `vector` is where a text lies."""

    def __init__(self, **wanted: Any) -> None:
        self.clock = VirtualClock()
        self.index = SemanticIndex()
        settings = CacheSettings(**{"exact": ExactCacheSettings(ttl_seconds=600), "semantic": SEMANTIC} | wanted)
        self.cache = Cache(settings, self.index, self.clock)

    def keep(self, text: str, answer: str, scope: Scope = HERE, vector: Any = EAST, **more: Any) -> bool:
        found = fingerprint(call(chat(text, **more)), max_temperature=1.0)
        asked = Asked(question=question(found, SEMANTIC), vector=vector)
        made = Answer(headers=(), body=answer.encode(), made=self.clock.monotonic())
        return self.cache.keep(scope, found, asked, made, self.cache.generation)

    def find(self, text: str, scope: Scope = HERE, vector: Any = NEARLY_EAST, **more: Any) -> str:
        """The answer, or in brackets what kept it from being one."""
        found = self.cache.alike(scope, self.asked(text, vector, **more))
        return found.entry.answer.body.decode() if found.entry else f"[{found.difference}]"

    def asked(self, text: str, vector: Any, **more: Any) -> Asked:
        found = fingerprint(call(chat(text, **more)), max_temperature=1.0)
        return Asked(question=question(found, SEMANTIC), vector=vector)


def test_one_that_asks_the_same():
    shelf = Shelf()
    shelf.keep("How do I reset my password?", "here is how")
    assert shelf.find("How can I reset my password?") == "here is how"


def test_scope_and_context_are_walls():
    shelf = Shelf()
    shelf.keep("How do I reset my password?", "here is how")
    assert shelf.find("How do I reset my password?", scope=THERE, vector=EAST) == "[]"
    assert shelf.find("How do I reset my password?", vector=EAST, temperature=0.5) == "[]"
    assert shelf.find("How do I reset my password?", vector=EAST) == "here is how"


def test_what_is_far_away_is_none():
    shelf = Shelf()
    shelf.keep("How do I reset my password?", "here is how")
    assert shelf.find("How can I reset my password?", vector=NORTH) == "[]"


def test_a_guard_refuses_the_nearest_and_gives_the_next_one():
    shelf = Shelf()
    shelf.keep("How do I set the limit to 10?", "ten", vector=NEARLY_EAST)
    assert shelf.find("How do I set the limit to 20?") == "[numbers]"
    shelf.keep("How can I set the limit to 20?", "twenty", vector=EAST)
    assert shelf.find("How do I set the limit to 20?") == "twenty"


def test_vectors_of_another_length_are_another_models():
    shelf = Shelf()
    shelf.keep("How do I reset my password?", "here is how")
    assert shelf.find("How can I reset my password?", vector=(1.0, 0.1, 0.0, 0.0)) == "[]"


def test_what_has_no_direction_is_neither_found_nor_finds():
    shelf = Shelf()
    shelf.keep("How do I reset my password?", "here is how", vector=(0.0, 0.0, 0.0))
    assert shelf.find("How can I reset my password?", vector=EAST) == "[]"
    shelf.keep("How do I reset my phone?", "otherwise")
    assert shelf.find("How can I reset my phone?", vector=(float("nan"), 0.0, 0.0)) == "[]"


async def test_each_use_has_its_own_time():
    shelf = Shelf()
    shelf.keep("How do I reset my password?", "here is how")
    await shelf.clock.advance(59)
    assert shelf.find("How can I reset my password?") == "here is how"
    await shelf.clock.advance(1)
    assert shelf.find("How can I reset my password?") == "[]"
    same = fingerprint(call(chat("How do I reset my password?")), max_temperature=1.0)
    assert shelf.cache.same(HERE, same) is not None
    await shelf.clock.advance(540)
    assert shelf.cache.same(HERE, same) is None
    assert shelf.cache.entries == 0
    assert len(shelf.index) == 0


def test_a_purge_leaves_nothing_behind():
    shelf = Shelf()
    for number in range(20):
        shelf.keep(f"What is {number} and one?", str(number), scope=HERE if number % 2 else THERE)
    assert shelf.cache.purge(Chosen(project="sales")) == 10
    assert (shelf.cache.entries, len(shelf.index)) == (10, 10)
    assert shelf.find("What is 4 and one?", scope=THERE, vector=EAST) == "[]"
    assert shelf.find("What is 5 and one?", vector=EAST) == "5"


def test_what_was_asked_before_a_purge_is_not_kept_after_it():
    shelf = Shelf()
    before = shelf.cache.generation
    shelf.cache.purge(Chosen())
    found = fingerprint(call(), max_temperature=1.0)
    answer = Answer(headers=(), body=b"late", made=shelf.clock.monotonic())
    assert not shelf.cache.keep(HERE, found, None, answer, before)
    assert shelf.cache.entries == 0


def test_the_same_call_again_has_one_place():
    shelf = Shelf()
    shelf.keep("How do I reset my password?", "old")
    shelf.keep("How do I reset my password?", "new")
    assert (shelf.cache.entries, len(shelf.index)) == (1, 1)
    assert shelf.find("How can I reset my password?") == "new"


def test_whatever_leaves_all_that_is_left_is_found():
    """Entries come and go in any order, and each one that is there is found by its own question."""
    dice = random.Random(4)
    shelf = Shelf(entries=15)
    for _ in range(400):
        number = dice.randrange(40)
        scope = HERE if number % 3 else THERE
        shelf.keep(f"What is {number} and one?", str(number), scope=scope, vector=EAST)
        assert shelf.cache.entries == len(shelf.index) <= 15
    found = {shelf.find(f"What is {n} and one?", scope=HERE if n % 3 else THERE, vector=EAST) for n in range(40)}
    assert len(found - {"[]", "[numbers]"}) == 15
