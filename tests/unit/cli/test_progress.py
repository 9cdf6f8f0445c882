import io
import logging

import pytest

from forehearth.cli.progress import Progress, in_words
from forehearth.server.status import Status, Weights


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def at(done: int, *, total: int = 100_000_000, step: str = "fetching") -> Status:
    return Status(weights={"small": Weights(state="working", step=step, done_bytes=done, total_bytes=total)})


READY = Status(weights={"small": Weights(state="ready", step="ready")})


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (Weights(step="fetching", done_bytes=45_600_000, total_bytes=92_871_040), "small: fetching 45 of 92 MB (49%)"),
        (Weights(step="waiting"), "small: waiting"),
    ],
)
def test_progress_in_words(weights: Weights, words: str):
    assert in_words("small", weights) == words


def test_a_terminal_has_one_line_that_changes_and_is_clean_in_the_end():
    terminal = Terminal()
    progress = Progress(terminal)
    for status in (at(0), at(50_000_000), READY, READY):
        progress.show(status)
    drawn = terminal.getvalue().split("\r\x1b[K")
    assert drawn == ["", "small: fetching 0 of 100 MB (0%)", "small: fetching 50 of 100 MB (50%)", ""]
    assert "\n" not in terminal.getvalue()


def test_without_models_a_terminal_stays_untouched():
    terminal = Terminal()
    Progress(terminal).show(Status())
    assert terminal.getvalue() == ""


def test_elsewhere_it_is_a_plain_line_every_ten_percent(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    plain = io.StringIO()
    progress = Progress(plain)
    for done in range(0, 100_000_001, 1_000_000):
        progress.show(at(done))
    progress.show(at(100_000_000, step="unpacking"))
    progress.show(READY)
    assert plain.getvalue() == ""
    assert len(caplog.messages) == 12
    assert caplog.messages[0] == "small: fetching 0 of 100 MB (0%)"
    assert caplog.messages[-1] == "small: unpacking 100 of 100 MB (100%)"
