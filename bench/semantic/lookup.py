"""What a look-up among very many entries of one partition costs, the embedding apart."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from bench.semantic.questions import Group
from forehearth.caching.answers import Answer
from forehearth.caching.cache import Asked, Cache
from forehearth.caching.fingerprint import fingerprint, question
from forehearth.caching.scope import Scope
from forehearth.caching.semantic import SemanticIndex
from forehearth.core.cache_settings import CacheSettings, SemanticCacheSettings
from forehearth.core.call import Call, Operation
from forehearth.core.clock import SystemClock
from forehearth.core.principal import Principal

_SEED = 7
_SCOPE = Scope(project="")
_WANTED = SemanticCacheSettings(embeddings="vectors", mode="on")
_NOBODY = Principal(name="bench", kind="key")
_SPREAD = 0.8
"""How far entries lie at most from the question that they are made of: some within the threshold, some not."""
_CLOSE = 0.1
"""How far a question lies that is looked up."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Milliseconds of processor time of a look-up, all threads of the process together."""

    entries: int
    lookups: int
    median: float
    p99: float
    most: float
    near: float
    """How many entries were within the threshold, on average."""
    bytes_per_entry: float
    """By which the process grew, its answers being empty."""


def measure(groups: Sequence[Group], vectors: Mapping[str, Sequence[float]], *, entries: int, lookups: int) -> Cost:
    """Fill one partition with `entries` questions like the real ones, and look the real ones up.

    Each entry is a real question with a number in it, so that those that are near have to be told apart by the guards:
    that is the dearest case, because as many as are looked at are refused.
    """
    dice = np.random.default_rng(_SEED)
    index = SemanticIndex()
    cache = Cache(CacheSettings(semantic=_WANTED, entries=entries, bytes=1 << 40), index, SystemClock())
    texts = [each.text for group in groups for each in (group.kept, *group.asked)]
    before = _resident()
    for number in range(entries):
        text = texts[number % len(texts)]
        found, asked = _read(f"{text} {number}", _moved(vectors[text], dice.uniform(_CLOSE, _SPREAD), dice))
        cache.keep(_SCOPE, found, asked, Answer(headers=(), made=time.monotonic()), cache.generation)
    grown = _resident() - before
    spent, near = [], 0
    for number in range(lookups):
        text = texts[int(dice.integers(len(texts)))]
        vector = _moved(vectors[text], _CLOSE, dice)
        began = time.process_time()
        _, asked = _read(f"{text} {entries + number}", vector)
        cache.alike(_SCOPE, asked)
        spent.append((time.process_time() - began) * 1e3)
        near += _near(index, asked)
    spent.sort()
    return Cost(
        entries=cache.entries,
        lookups=lookups,
        median=spent[lookups // 2],
        p99=spent[math.ceil(lookups * 0.99) - 1],
        most=spent[-1],
        near=near / lookups,
        bytes_per_entry=grown / entries,
    )


def _read(text: str, vector: Sequence[float]) -> tuple:
    body = b'{"model":"chat","messages":[{"role":"user","content":%s}],"temperature":0.2}' % msgspec.json.encode(text)
    call = Call(
        request_id="",
        surface="openai_v1",
        operation=Operation.CHAT,
        name="chat",
        body=body,
        principal=_NOBODY,
        started=0.0,
    )
    found = fingerprint(call, max_temperature=1.0)
    return found, Asked(question=question(found, _WANTED), vector=vector)


def _moved(vector: Sequence[float], spread: float, dice: np.random.Generator) -> list[float]:
    moved = np.array(vector, np.float32) + spread * dice.standard_normal(len(vector)) / math.sqrt(len(vector))
    return list(map(float, moved / np.linalg.norm(moved)))


def _near(index: SemanticIndex, asked: Asked) -> int:
    """How many entries are within the threshold."""
    (partition,) = index._partitions.values()  # noqa: SLF001 - to tell what was measured
    vector = np.array(asked.vector, np.float32)
    return len(partition.vectors.near(vector, within=_WANTED.score_threshold, most=len(partition.rows)))


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4_096
