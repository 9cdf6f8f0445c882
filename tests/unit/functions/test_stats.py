"""Calls are known again by the cells that they gave."""

import numpy as np

from forehearth.functions import stats
from forehearth.functions.results import ExceptionResult, FilterResult, non_result
from forehearth.functions.stats import Call, Stats


def call(**members):
    return Call(stats=Stats(**members), failures={})


def test_the_same_cells_in_the_same_order():
    first, second = call(model="one"), call(model="two")
    stats.remember(first, ["a", None, ExceptionResult("c", "m")])
    stats.remember(second, [np.float32([1, 2])])
    assert stats.call_of(["a", None, ExceptionResult("c", "m")]) is first
    assert stats.call_of([np.float32([1, 2])]) is second
    assert stats.call_of([None, "a", ExceptionResult("c", "m")]) is None
    assert stats.call_of(["a", None, ExceptionResult("c", "n")]) is None


def test_cells_that_read_alike_in_a_row_are_told_apart():
    stats.remember(call(model="one"), ["ab", "c"])
    assert stats.call_of(["a", "bc"]) is None


def test_a_call_of_several_columns_is_one_row():
    found = call(model="m", input_tokens=3)
    stats.remember(found, ["x"], ["y"])
    names, members = stats.table({"one": ["x"], "own": ["nobody's"], "two": ["y"]})
    assert (names, members["model"], members["input_tokens"]) == (["one, two"], ["m"], [3])


def test_only_so_many_are_kept():
    stats.remember(call(), ["the first"])
    for n in range(stats._MOST_KEPT):
        stats.remember(call(), [f"cell {n}"])
    assert stats.call_of(["the first"]) is None
    assert stats.call_of(["cell 0"]) is not None


def test_what_a_filter_kept_back_is_a_result_of_its_own():
    assert type(non_result("content_filter", "m")) is FilterResult
    assert type(non_result("truncated", "m")) is ExceptionResult
