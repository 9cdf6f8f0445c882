"""What all parts found when they were last run: kept as JSON beside the page, one entry a part."""

import datetime as dt
from pathlib import Path

import msgspec

from bench import machine
from bench.faults.figures import Figure, Outcome, Part


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One part's last run."""

    title: str
    done: str
    taken: str
    """The date, in UTC."""
    commit: str
    machine: dict[str, str | int | float]
    seconds: int
    """How long it took."""
    figures: tuple[Figure, ...]
    fired: dict[str, int]
    series: tuple[dict[str, float], ...]

    @property
    def reached(self) -> bool:
        """Whether every target was reached and every fault took place."""
        return Outcome(figures=self.figures, fired=self.fired).reached


Record = dict[str, Entry]


def entry(part: Part, outcome: Outcome, *, root: Path, seconds: float) -> Entry:
    """What is kept of a run that has just ended."""
    return Entry(
        title=part.title,
        done=part.done,
        taken=dt.datetime.now(dt.UTC).date().isoformat(),
        commit=machine.commit(root),
        machine=machine.describe(),
        seconds=round(seconds),
        figures=tuple(outcome.figures),
        fired=dict(sorted(outcome.fired.items())),
        series=tuple(dict(each) for each in outcome.series),
    )


def read(path: Path) -> Record:
    """What there is; nothing where no part was ever run."""
    return msgspec.json.decode(path.read_bytes(), type=Record) if path.exists() else {}


def write(path: Path, record: Record) -> None:
    """Keep it."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
