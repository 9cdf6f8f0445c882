"""A measured figure beside the target that it is held to, and all that one part brings."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the report. `reached` is None where a figure has no target."""

    what: str
    found: str
    target: str = ""
    reached: bool | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a part found."""

    figures: Sequence[Figure]
    fired: Mapping[str, int] = {}
    """Faults that took place, and how often: none that is named may be 0."""
    series: Sequence[Mapping[str, float]] = ()
    """Points of a picture."""

    @property
    def reached(self) -> bool:
        """Whether every target was reached and every fault took place."""
        return all(each.reached is not False for each in self.figures) and all(self.fired.values())


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What a part is given."""

    folder: Path
    """Empty, and its own."""
    short: bool = False
    """Whether it is to last seconds: it shows then that the part works, and no figure to publish."""
    say: Callable[[str], None] = lambda _: None
    """Tell how far it is."""

    def count(self, full: int, short: int) -> int:
        """How much of something."""
        return short if self.short else full


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is done to the server."""

    title: str
    done: str
    """What is done, in the words of the report."""
    measure: Callable[[Stage], Awaitable[Outcome]]


def at_most(what: str, found: float, target: float, unit: str = "", *, digits: int = 0) -> Figure:
    """A figure that may not be larger."""
    return Figure(what=what, found=_said(found, unit, digits), target=_most(target, unit), reached=found <= target)


def at_least(what: str, found: float, target: float, unit: str = "", *, digits: int = 0) -> Figure:
    """A figure that may not be smaller."""
    said = _said(target, unit, digits)
    return Figure(what=what, found=_said(found, unit, digits), target=f"at least {said}", reached=found >= target)


def plain(what: str, found: float | str, unit: str = "", *, digits: int = 0) -> Figure:
    """A figure without a target."""
    return Figure(what=what, found=found if isinstance(found, str) else _said(found, unit, digits))


def _most(target: float, unit: str) -> str:
    return "0" if not target else f"at most {target:,g}{_unit(unit)}"


def _said(number: float, unit: str, digits: int) -> str:
    return f"{number:,.{digits}f}{_unit(unit)}"


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""


def table(figures: Sequence[Figure]) -> str:
    """The figures as Markdown."""
    lines = ["| what | target | found | reached |", "| --- | ---: | ---: | --- |"]
    lines += [f"| {each.what} | {each.target} | {each.found} | {said(each.reached)} |" for each in figures]
    return "\n".join(lines)


def said(reached: bool | None) -> str:
    """A verdict in a word."""
    return "" if reached is None else "yes" if reached else "**no**"
