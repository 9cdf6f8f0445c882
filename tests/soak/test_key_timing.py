"""How long a wrong key takes to be refused says nothing about how near it is to a right one.

Welch's t-test of two sets of times, as dudect does it: wrong keys that share all but their last letters with a right
one, and wrong keys that share nothing. Below 4.5 nobody can tell the two apart by time.
"""

import gc
import random
import secrets
import statistics
import time
import timeit
from collections.abc import Callable, Sequence

import pytest

from forehearth.core.exchange import Head
from forehearth.identity.key_records import KeyRecord
from forehearth.identity.key_text import new_key
from tests.unit.identity.keyed import NOW, RESOURCE, head, record, ring

PAIRS = 20_000
BOUND = 4.5
KEPT = 0.9
"""Of the times of both sets together, the shortest: the longest tell of the machine's other work."""
MICROSECONDS = 5.0
CROWD = 1_000
CHECKS, ROUNDS = 20_000, 20
CHANGED = 8
"""Letters at the end that differ in a near miss."""

Record = Callable[[str, object], None]


def welch(first: Sequence[float], second: Sequence[float]) -> float:
    """Welch's t of two samples."""
    spread = statistics.variance(first) / len(first) + statistics.variance(second) / len(second)
    return (statistics.fmean(first) - statistics.fmean(second)) / spread**0.5


def measured(check: Callable[[Head], object], key: str) -> float:
    """Time wrong keys near to this one and far from it, in an order drawn by chance, and compare the times."""
    times: dict[bool, list[int]] = {True: [], False: []}
    asked = wrong_keys(key)
    clock = time.perf_counter_ns
    gc.collect()
    gc.disable()
    try:
        for is_near, wrong in asked:
            begun = clock()
            check(wrong)
            times[is_near].append(clock() - begun)
    finally:
        gc.enable()
    limit = sorted(times[True] + times[False])[int(len(asked) * KEPT)]
    kept = [[each for each in times[is_near] if each <= limit] for is_near in (True, False)]
    return welch(*kept)


def wrong_keys(key: str) -> list[tuple[bool, Head]]:
    """Pairs of a near one and a far one, either first, as they will be used.

    All are made alike: the texts first, and from those the requests, one after the other. Otherwise what was thrown
    away on the way to each has the near ones lie elsewhere in memory than the far ones, and that can be measured.
    """
    order = random.Random(7)
    texts = []
    for _ in range(PAIRS):
        first = order.random() < 0.5
        for is_near in (first, not first):
            other = new_key(secrets.token_bytes).reveal()
            texts.append((is_near, (key if is_near else other)[:-CHANGED] + other[-CHANGED:]))
    return [(is_near, head(text)) for is_near, text in texts]


@pytest.fixture
def crowd() -> list[KeyRecord]:
    """A thousand keys of others."""
    return [record(new_key(secrets.token_bytes).reveal(), id=f"key-{number}") for number in range(CROWD)]


def test_a_near_miss_takes_as_long_as_any_other(crowd: list[KeyRecord], record_property: Record) -> None:
    key = new_key(secrets.token_bytes).reveal()
    known = ring(record(key), *crowd)
    t = measured(lambda asked: known.identify(asked, RESOURCE, NOW), key)
    record_property(f"Welch's t of near and far misses over {PAIRS} pairs", round(t, 2))
    assert abs(t) < BOUND


@pytest.mark.parametrize("form", ["api-key", "bearer", "network", "wrong"])
def test_a_check_takes_few_microseconds(form: str, crowd: list[KeyRecord], record_property: Record) -> None:
    key = new_key(secrets.token_bytes).reveal()
    known = ring(*crowd, record(key, networks=("10.0.0.0/8",) if form == "network" else None))
    asked = {
        "api-key": head(key),
        "bearer": head(authorization=f"Bearer {key}".encode()),
        "network": head(key, client="10.1.2.3"),
        "wrong": head(key[:-1]),
    }[form]
    assert (known.identify(asked, RESOURCE, NOW) is None) is (form == "wrong")
    rounds = timeit.repeat(lambda: known.identify(asked, RESOURCE, NOW), number=CHECKS, repeat=ROUNDS)
    micros = min(rounds) / CHECKS * 1e6
    record_property(f"microseconds a check, {form}", round(micros, 2))
    assert micros <= MICROSECONDS


def test_the_measurement_finds_a_comparison_that_stops_at_the_first_difference() -> None:
    key = new_key(secrets.token_bytes).reveal().encode()

    def leaky(asked: Head) -> bool:
        given = asked.headers[b"api-key"]
        return all(mine == theirs for mine, theirs in zip(key, given, strict=True))

    assert abs(measured(leaky, key.decode())) > BOUND
