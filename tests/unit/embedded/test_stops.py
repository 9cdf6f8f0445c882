"""Stop sequences are found however the text is cut."""

import random

from forehearth.embedded.stops import StopScanner
from tests.unit.dice import by_dice


@by_dice(found=0.3, whole=0.3)
def test_the_text_ends_before_the_first_stop(dice: random.Random) -> str:
    text, size = "".join(dice.choices("ab", k=dice.randrange(13))), dice.randint(1, 5)
    stops = ["".join(dice.choices("ab", k=dice.randint(1, 3))) for _ in range(dice.randrange(4))]
    scanner = StopScanner(stops)
    out = ""
    for at in range(0, len(text), size):
        out += scanner.feed(text[at : at + size])
        assert text.startswith(out)
    out += scanner.finish()
    ends = [text.find(stop) for stop in stops if stop in text]
    if size == 1 and ends:
        first_complete = min((text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text)[0]
        assert scanner.is_found
        assert len(out) <= first_complete
        assert not any(stop in out for stop in stops)
    assert scanner.is_found == bool(ends)
    assert out == text if not ends else not any(stop in out for stop in stops)
    return "found" if ends else "whole"


def test_nothing_is_held_back_without_reason() -> None:
    scanner = StopScanner(["END"])
    assert scanner.feed("The E") == "The "
    assert scanner.feed("ast") == "East"
    assert scanner.feed(" EN") == " "
    assert scanner.finish() == "EN"
    assert not scanner.is_found
