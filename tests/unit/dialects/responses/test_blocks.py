"""Events as they came: the same bytes, however they are cut, and with other data in the place of theirs."""

import pytest

from forehearth.core.errors import Broken
from forehearth.dialects.responses import blocks
from forehearth.dialects.responses.blocks import Blocks
from tests.unit.dice import by_dice, cut

LINES = [b"event: x", b'data: {"a": 1}', b"data:{}", b": comment", b"id: 7", b"data", b"", "data: é\u2028".encode()]


@by_dice(1_000, several=0.03)
def test_nothing_is_lost_however_it_is_cut(dice):
    text = b"".join(dice.choice(LINES) + dice.choice([b"\n", b"\r\n", b"\r"]) for _ in range(dice.randrange(12)))
    whole = Blocks()
    expected = [*whole.feed(text), whole.finish()]
    reader = Blocks()
    found = [block for piece in cut(dice, text, 9) for block in reader.feed(piece)]
    found.append(reader.finish())
    assert b"".join(found) == text
    if b"\r" not in text:  # a carriage return alone may end a line, or be half of an end
        assert found == expected
    return "several" if len(found) > 2 else "few"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_data_and_other_data(end):
    block = end.join([b"event: x", b"data: 1", b"data:2", b"id: 7", b"", b""])
    assert blocks.data(block) == b"1\n2"
    assert blocks.with_data(block, b"{}") == end.join([b"event: x", b"data: {}", b"id: 7", b"", b""])


def test_one_that_is_too_long_is_refused():
    reader = Blocks()
    assert not list(reader.feed(b"x" * blocks.LONGEST))
    with pytest.raises(Broken):
        list(reader.feed(b"x"))
