"""Thousands of cases of one test, in seconds: Hypothesis draws a number, and dice that it seeds throw all the rest.

    @by_dice(accepted=0.2, refused=0.2)
    def test_what_it_reads(dice):
        ...
        return "accepted"

Drawing is what costs Hypothesis its time, so each number that it draws is good for a score of cases. A test says what
kind of case it has seen, and fails if a kind is rarer than it must be: so that none of it goes untried unnoticed.

A test names how many cases there are in the long tier, ten thousand if nothing is said: `tests/soak/test_dice.py`
judges them all. `make test` judges a fifth of them, other ones each time, and a thousand at least where there are more.
"""

import os
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

CASES = 10_000
ALL = "FOREHEARTH_TEST_ALL_CASES"
"""The variable of the environment with which all cases are judged."""
_SHARE, _FEW = 5, 1_000
_NEARLY = 0.8
"""What a share may come down to by chance, of fewer cases than it is said of."""
_OF_ONE_DRAW = 20

Judge = Callable[[random.Random], str | None]

_ODD = "\x00\t\n\r\x1b\x1f\x7f\x80\x85\x9b\xa0éß\u0301\u0600\u200b\u2028\u2029\u202e\ufeff\ufffd\uffff😀\U0010ffff"
_MARKS = "\"'\\/{}[]()<>:;,.#&*!?|%@`$=+-_~^ "


def by_dice(cases: int = CASES, **shares: float) -> Callable[[Judge], Callable[[], None]]:
    """Judge so many cases, each by dice of its own. `shares` are the least that the kinds must be of all cases."""
    whole, cases = cases, cases if ALL in os.environ else max(min(cases, _FEW), cases // _SHARE)
    likely = 1.0 if cases == whole else _NEARLY

    def decorate(judge: Judge) -> Callable[[], None]:
        def run() -> None:
            kinds: Counter[str | None] = Counter()

            @settings(max_examples=cases // _OF_ONE_DRAW, deadline=None, database=None, phases=[Phase.generate])
            @given(st.integers(0, 2**64))
            def draw(number: int) -> None:
                for seed in range(number * _OF_ONE_DRAW, (number + 1) * _OF_ONE_DRAW):
                    try:
                        kinds[judge(random.Random(seed))] += 1
                    except Exception as error:
                        error.add_note(f"the case is that of random.Random({seed})")
                        raise

            draw()
            judged = kinds.total()
            assert judged >= cases, f"{judged} cases were judged instead of {cases}"
            for kind, share in shares.items():
                assert kinds[kind] >= share * likely * judged, f"too few {kind} among {kinds}"

        run.__name__, run.__qualname__, run.__module__ = judge.__name__, judge.__qualname__, judge.__module__
        run.__doc__ = judge.__doc__
        return pytest.mark.dice(run)

    return decorate


def some_text(dice: random.Random, most: int) -> str:
    """Up to `most` letters of any script, many of them of the kind that ends a line, a string or a terminal's mood."""
    return "".join(_letter(dice) for _ in range(dice.randrange(most + 1)))


def _letter(dice: random.Random) -> str:
    kind = dice.random()
    if kind < 0.4:
        return chr(dice.randrange(0x20, 0x7F))
    if kind < 0.6:
        return dice.choice(_MARKS)
    if kind < 0.8:
        return dice.choice(_ODD)
    code = dice.randrange(0x110000 - 0x800)
    return chr(code if code < 0xD800 else code + 0x800)  # no halves of characters


def cut(dice: random.Random, data: bytes, most: int) -> list[bytes]:
    """`data` in up to `most` + 1 pieces, cut anywhere."""
    places = sorted(dice.randrange(len(data) + 1) for _ in range(dice.randrange(most + 1)))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
