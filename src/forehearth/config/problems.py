"""What can be wrong with a configuration, each with its place in the file."""

from collections.abc import Iterable, Sequence

import msgspec

from forehearth.core.errors import Misconfigured

Path = tuple[str | int, ...]
"""The way from the top of the file to a value: keys and, for lists, positions from 0."""

SHOWN = 100
"""How many problems are printed; the rest is counted. `ConfigError.problems` has them all."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, where, and what to do about it. It shows no secret."""

    file: str
    line: int
    """From 1; 0 when the problem is the file itself."""
    column: int
    """From 1; 0 when the problem is the file itself."""
    path: str
    """The key's path, such as `deployments.gpt-4o.backends[0].backend`; empty at the top of the file."""
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        said = f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"
        return f"{said}\n    {self.hint}" if self.hint else said


class ConfigError(Misconfigured):
    """The configuration cannot be used. `problems` are all of them, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = sorted(problems, key=lambda each: (each.line, each.column, each.path))
        super().__init__(self._words())

    def _words(self) -> str:
        lines = [str(problem) for problem in self.problems[:SHOWN]]
        count = len(self.problems)
        if count > SHOWN:
            lines.append(f"… and {count - SHOWN} more.")
        lines.append("1 problem." if count == 1 else f"{count} problems.")
        return "\n".join(lines)


def written(path: Path) -> str:
    """A path as it is shown: `a.b[0].c`, with keys that are no plain words in brackets: `a["gpt-4.1"]`."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _is_plain(step):
            parts.append(f".{step}" if parts else step)
        else:
            parts.append(f'["{shortened(step)}"]')
    return "".join(parts)


def _is_plain(key: str) -> bool:
    return 0 < len(key) <= _LONGEST and key.isascii() and key.replace("-", "").replace("_", "").isalnum()


_LONGEST = 128
_SHORT = 40


def shortened(text: str, limit: int = _SHORT) -> str:
    """Text fit for a message: one line, no control characters, at most `limit` characters."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return printable(cut)


def printable(text: str) -> str:
    """Text as it can be printed, whatever a terminal would make of its characters."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
