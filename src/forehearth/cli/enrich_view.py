"""How runs of enrichment are shown: a line that changes while one works, and what became of it in the end."""

import contextlib
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import click
import msgspec

from forehearth.cli.output import say_table
from forehearth.core.money import plain
from forehearth.enrichment.run_record import latencies

_EVERY: Final = 0.2
"""Seconds between two drawings on a terminal."""
_LOGGED_EVERY: Final = 30.0
"""Seconds between two lines where there is none."""
_BAR: Final = 24
"""Characters of the longest bar."""
_MINUTE, _HOUR = 60, 3600


class Progress:
    """Shows one state of a run after another, no oftener than anybody can read."""

    def __init__(self, stream: TextIO, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._monotonic = monotonic
        self._began = self._shown = monotonic()
        self._before: int | None = None
        self._drawn = False

    def show(self, run: Any) -> None:
        """Show this one, if it is time."""
        now = self._monotonic()
        if self._before is None:
            self._before = run.done
        if now - self._shown < (_EVERY if self._is_terminal else _LOGGED_EVERY):
            return
        self._shown = now
        words = in_words(run, run.done - self._before, now - self._began)
        with contextlib.suppress(OSError):  # nobody looks any more
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[K{words[:width]}" if self._is_terminal else f"{words}\n")
            self._stream.flush()
        self._drawn = self._is_terminal

    def finish(self) -> None:
        """Take the line away."""
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def in_words(run: Any, done: int, seconds: float) -> str:
    """A line: rows, rate, time left, tokens, cost, failed rows. `done` rows were done in so many seconds."""
    rate = done / seconds if seconds > 0 else 0.0
    share = f" of {run.rows:,} ({100 * run.done // run.rows}%)" if run.rows else ""
    parts = [f"{run.done:,}{share} rows", f"{rate:,.0f}/s"]
    if run.rows and rate:
        parts.append(f"{_span((run.rows - run.done) / rate)} left")
    parts.append(f"{run.spent.tokens:,} tokens")
    if run.spent.cost:
        parts.append(f"{_money(run)}")
    if run.failed:
        parts.append(f"{run.failed:,} failed")
    return "  ".join(parts)


def say_run(run: Any, *, working: bool) -> None:
    """Print what became of a run."""
    state = "running" if working else "broken off" if run.status == "running" else run.status
    total = f" of {run.rows:,}" if run.rows is not None else ""
    lines = {
        "run": run.id,
        "state": f"{state}: {run.reason}" if run.reason and not working else state,
        "rows": f"{run.done:,}{total} landed, {run.failed:,} of them failed, {run.reused:,} answered by what was known",
        "requests": f"{run.spent.requests:,}",
        "tokens": f"{run.spent.prompt_tokens:,} of prompts, {run.spent.completion_tokens:,} of answers",
        "cost": _money(run),
        "time": f"{_span(run.spent.seconds)} of work, begun {_moment(run.started)}",
    }
    for name, words in lines.items():
        click.echo(f"{name:<9} {words}")
    for warning in run.warnings:
        click.echo(f"{'warning':<9} {warning}")


def say_course(run: Any) -> None:
    """Print why rows failed, and how long calls took."""
    if run.errors:
        click.echo("")
        counted = sorted(run.errors.items(), key=lambda each: -each[1])
        say_table([("REASON", "ROWS"), *((code, f"{count:,}") for code, count in counted)])
    classes = latencies(run.latency)
    if classes:
        click.echo("")
        most = max(count for _, count in classes)
        bars = [
            (f"≤ {name}", f"{count:,}", "\u2588" * max(1, _BAR * count // most) if count else "")
            for name, count in classes
        ]
        say_table([("LATENCY", "CALLS", ""), *bars])


def as_json(run: Any) -> dict[str, Any]:
    """A run as JSON has it: money as text, so that it stays exact."""
    found: dict[str, Any] = msgspec.to_builtins(run)
    spent = found["spent"]
    spent["usd" if run.currency == "USD" else "cost"] = plain(spent.pop("cost"))
    for name in ("points", "step", "latency"):  # they are for the report
        del found[name]
    return found


def _money(run: Any) -> str:
    if run.spent.unpriced and not run.spent.cost:
        return "not known: the job has no prices"
    amount = f"{plain(run.spent.cost)} {run.currency}"
    return f"{amount}, and {run.spent.unpriced:,} answers whose cost is not known" if run.spent.unpriced else amount


def _span(seconds: float) -> str:
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{seconds:.0f} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def _moment(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
