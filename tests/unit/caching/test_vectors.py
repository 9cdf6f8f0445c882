"""Vectors near a vector: what is found is what a comparison with each of them finds."""

import numpy as np
import pytest

from forehearth.caching.vectors import Hyperplanes, Vectors, normal

DIMENSIONS = 48
PLANES = Hyperplanes(DIMENSIONS)
CLOSE = 1e-3
"""What 16-bit floats may be off by."""


def drawn(count: int, seed: int = 1):
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSIONS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def around(vector, spread: float, dice):
    return normal(vector + spread * dice.standard_normal(DIMENSIONS) / np.sqrt(DIMENSIONS))


def filled(vectors):
    found = Vectors(PLANES)
    assert [found.add(each) for each in vectors] == list(range(len(vectors)))
    return found


def test_what_is_near_is_found_and_nothing_else():
    dice = np.random.default_rng(7)
    vectors = drawn(3_000)
    vectors[500:600] = [around(vectors[0], 0.5, dice) for _ in range(100)]
    asked = around(vectors[0], 0.3, dice)
    distances = 1.0 - vectors @ asked
    for within in (0.05, 0.1, 0.2, 0.4):
        expected = {place for place, distance in enumerate(distances) if distance <= within - CLOSE}
        found = filled(vectors).near(asked, within=within, most=5_000)
        places = [place for _, place in found]
        assert expected <= set(places)
        assert all(abs(distance - distances[place]) < CLOSE for distance, place in found)
        assert all(distance <= within for distance, _ in found)
        assert [distance for distance, _ in found] == sorted(distance for distance, _ in found)


def test_only_so_many_are_returned_the_nearest_first():
    vectors, dice = drawn(300), np.random.default_rng(9)
    vectors[100:108] = [around(vectors[3], 0.3, dice) for _ in range(8)]
    found = filled(vectors)
    everything = found.near(vectors[3], within=1.0, most=1_000)
    assert found.near(vectors[3], within=1.0, most=9) == everything[:9]
    assert everything[0][1] == 3
    assert {place for _, place in everything[1:9]} == set(range(100, 108))
    assert len(found.near(vectors[3], within=1.0, most=50)) == 50


def test_the_very_same_is_at_no_distance():
    ((distance, place),) = filled(drawn(50)).near(drawn(50)[9], within=0.01, most=3)
    assert place == 9
    assert abs(distance) < CLOSE


def test_the_last_one_moves_into_the_place_of_one_that_leaves():
    vectors = drawn(40)
    found = filled(vectors)
    there = list(range(40))
    dice = np.random.default_rng(3)
    while there:
        place = int(dice.integers(len(there)))
        found.remove(place)
        there[place] = there[-1]
        there.pop()
        assert len(found) == len(there)
        for at, which in enumerate(there):
            assert found.near(vectors[which], within=0.01, most=1)[0][1] == at
    assert found.near(vectors[0], within=1.0, most=9) == []


def test_more_than_one_block():
    vectors = drawn(8_195)
    found = filled(vectors)
    for which in (0, 8_191, 8_192, 8_194):
        assert found.near(vectors[which], within=0.01, most=2)[0][1] == which
    for _ in range(3):
        found.remove(0)
    assert len(found) == 8_192
    assert found.near(vectors[8_192], within=0.01, most=2)[0][1] == 0
    assert found.near(vectors[8_194], within=0.01, most=2) == []
    assert found.add(vectors[8_194]) == 8_192
    assert found.near(vectors[8_194], within=0.01, most=2)[0][1] == 8_192


def test_the_first_pass_loses_next_to_nothing_on_the_bound():
    """Vectors that lie on the bound itself, where the codes are most likely to say no."""
    dice = np.random.default_rng(11)
    lost = 0
    for _ in range(20):
        asked = drawn(1, int(dice.integers(1_000_000)))[0]
        across = dice.standard_normal((200, DIMENSIONS)).astype(np.float32)
        across -= np.outer(across @ asked, asked)
        across /= np.linalg.norm(across, axis=1, keepdims=True)
        cosine = 0.9 + 2 * CLOSE
        on_bound = cosine * asked + np.sqrt(1 - cosine**2) * across
        lost += 200 - len(filled(on_bound.astype(np.float32)).near(asked, within=0.1, most=1_000))
    assert lost <= 4, f"{lost} of 4000"


@pytest.mark.parametrize("numbers", [[0.0, 0.0], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_what_points_nowhere_is_no_vector(numbers):
    assert normal(numbers) is None


def test_vectors_are_made_of_length_one():
    vector = normal([3, 4])
    assert vector is not None
    assert vector.tolist() == pytest.approx([0.6, 0.8])
