"""Shows how the weights come in: one line that changes on a terminal, and plain log lines anywhere else."""

import contextlib
import logging
import shutil
from typing import TextIO

from forehearth.server.status import Status, Weights

log = logging.getLogger("forehearth.server")

STEP_PERCENT = 10
"""How often, in percent of a model, a line is logged where there is no terminal."""

MEGABYTE = 1_000_000


class Progress:
    """Shows one status after another."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._drawn = False
        self._logged: dict[str, tuple[str, int]] = {}

    def show(self, status: Status) -> None:
        """Show this one."""
        working = {name: each for name, each in status.weights.items() if each.state == "working"}
        if not self._is_terminal:
            for name, weights in working.items():
                self._log(name, weights)
            return
        if working:
            self._draw("  ".join(in_words(name, weights) for name, weights in working.items()))
        elif self._drawn:
            self._draw("")
            self._drawn = False

    def _log(self, name: str, weights: Weights) -> None:
        step = weights.step, _percent(weights) // STEP_PERCENT
        if self._logged.get(name) != step:
            self._logged[name] = step
            log.info("%s", in_words(name, weights))

    def _draw(self, text: str) -> None:
        """Write over the line that was drawn before; never more than one line, or it could not be written over."""
        width = shutil.get_terminal_size().columns - 1
        with contextlib.suppress(OSError):  # nobody looks any more
            self._stream.write(f"\r\x1b[K{text[:width]}")
            self._stream.flush()
        self._drawn = True


def in_words(name: str, weights: Weights) -> str:
    """One model's progress in a line: `small: fetching 45 of 92 MB (49%)`."""
    if not weights.total_bytes:
        return f"{name}: {weights.step}"
    done, total = weights.done_bytes // MEGABYTE, weights.total_bytes // MEGABYTE
    return f"{name}: {weights.step} {done} of {total} MB ({_percent(weights)}%)"


def _percent(weights: Weights) -> int:
    return 100 * weights.done_bytes // weights.total_bytes if weights.total_bytes else 0
