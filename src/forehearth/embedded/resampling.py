"""Brings sound of any rate to another one, block by block, with what lies above the new rate's half taken away."""

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_FINEST: Final = 640
"""The largest denominator of the two rates' quotient: odd rates are off by less than a second in a day."""
_LEAST_BLOCK: Final = 64
_CROSSINGS: Final = 16
_PASSED: Final = 0.95
_BETA: Final = 8.0


def resampled(blocks: Iterable[Array], rate: int, wanted: int) -> Iterator[Array]:
    """`blocks` of one channel at `rate`, at `wanted` samples a second."""
    if rate == wanted:
        yield from blocks
        return
    ratio = Fraction(wanted, rate).limit_denominator(_FINEST)
    times = math.ceil(_LEAST_BLOCK / ratio.numerator)
    made, taken = ratio.numerator * times, ratio.denominator * times
    kernel, reach = _kernel(made, taken)
    held = np.zeros(reach, np.float32)
    for block in blocks:
        held = np.concatenate((held, block))
        count = (len(held) - 2 * reach) // taken
        if count > 0:
            yield _apply(kernel, held, count, taken)
            held = held[count * taken :]
    left = math.ceil((len(held) - reach) * made / taken)
    if left > 0:
        count = math.ceil(left / made)
        held = np.concatenate((held, np.zeros(count * taken + 2 * reach, np.float32)))
        yield _apply(kernel, held, count, taken)[:left]


def _kernel(made: int, taken: int) -> tuple[Array, int]:
    """What makes `made` samples of `taken` and their neighbours, `reach` of them on both sides."""
    share = min(1.0, made / taken) * _PASSED
    reach = math.ceil(_CROSSINGS / share)
    distance = np.arange(-reach, taken + reach)[:, None] - np.arange(made)[None, :] * (taken / made)
    window = np.i0(_BETA * np.sqrt(np.maximum(0.0, 1 - (distance / reach) ** 2))) / np.i0(_BETA)
    return (np.sinc(distance * share) * share * window * (np.abs(distance) <= reach)).astype(np.float32), reach


def _apply(kernel: Array, held: Array, count: int, taken: int) -> Array:
    frames = np.lib.stride_tricks.sliding_window_view(held, len(kernel))[: count * taken : taken]
    made: Array = (frames @ kernel).reshape(-1)
    return made
