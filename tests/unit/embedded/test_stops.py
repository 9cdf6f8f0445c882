"""Stop sequences are found however the text is cut."""

from hypothesis import given, settings
from hypothesis import strategies as st

from forehearth.embedded.stops import StopScanner

letters = st.text(alphabet="ab", max_size=12)


@settings(max_examples=3_000, deadline=None, database=None)
@given(letters, st.lists(st.text(alphabet="ab", min_size=1, max_size=3), max_size=3), st.integers(1, 5))
def test_the_text_ends_before_the_first_stop(text: str, stops: list[str], size: int) -> None:
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


def test_nothing_is_held_back_without_reason() -> None:
    scanner = StopScanner(["END"])
    assert scanner.feed("The E") == "The "
    assert scanner.feed("ast") == "East"
    assert scanner.feed(" EN") == " "
    assert scanner.finish() == "EN"
    assert not scanner.is_found
