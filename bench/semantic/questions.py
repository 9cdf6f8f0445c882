"""The questions of the measurement, read from the files beside this one, whose form the first of them tells."""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

SAME = ("~1", "~2", "~3")
"""How closely a question is worded like the one that is kept, when it asks the same."""
REQUIRED_KINDS = ("number", "unit", "date", "negation", "entity", "order", "opposite")
ALL_KINDS = (*REQUIRED_KINDS, "word")


@dataclass(frozen=True, kw_only=True)
class Question:
    """One that is asked, beside one that is kept. Two mean the same where they have the same `meaning`."""

    text: str
    kind: str
    """`=`, one of `SAME`, or what makes it another question."""
    meaning: tuple[int, int]

    @property
    def is_trap(self) -> bool:
        """Whether it only looks like the one that is kept."""
        return self.kind in ALL_KINDS


@dataclass(kw_only=True)
class Group:
    """A question that is kept, and those that are asked beside it."""

    kept: Question
    asked: list[Question] = field(default_factory=list)

    @property
    def was_tuned_on(self) -> bool:
        """Whether somebody looked at it while the lists of words were written; by chance, not by choice."""
        return sha256(self.kept.text.encode()).digest()[0] % 2 == 0


def read(folder: Path = Path(__file__).parent) -> list[Group]:
    """All of them. Raises `ValueError` for a line that is in no form, and for a question that is there twice."""
    groups: list[Group] = []
    seen: set[str] = set()
    for path in sorted(folder.glob("questions-*.txt")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            mark, _, text = line.partition(" ")
            if not line or mark.startswith("#"):
                continue
            if text in seen or (mark != "=" and not groups):
                raise ValueError(f"{path.name}:{number}: it is there twice, or before every kept one")
            seen.add(text)
            _add(groups, mark, text, f"{path.name}:{number}")
    return groups


def _add(groups: list[Group], mark: str, text: str, where: str) -> None:
    if mark == "=":
        groups.append(Group(kept=Question(text=text, kind=mark, meaning=(len(groups), 0))))
        return
    at, asked = len(groups) - 1, groups[-1].asked
    if mark in SAME:
        asked.append(Question(text=text, kind=mark, meaning=(at, 0)))
    elif mark.startswith("!") and mark[1:] in ALL_KINDS:
        asked.append(Question(text=text, kind=mark[1:], meaning=(at, len(asked) + 1)))
    else:
        raise ValueError(f"{where}: {mark} is no mark")
