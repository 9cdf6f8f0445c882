"""A prompt with places for a row's values: `Classify: {text}`. `{{` and `}}` are braces."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

_PART: Final = re.compile(r"\{\{|\}\}|\{(?P<column>[^{}]+)\}|(?P<stray>[{}])")


class BadTemplate(ValueError):
    """A brace that belongs to nothing. `line` and `column` are within the text, from 1."""

    def __init__(self, brace: str, line: int, column: int) -> None:
        super().__init__(f"the '{brace}' in line {line}, column {column} of the text belongs to no {{column}}")
        self.hint = f"write {brace}{brace} for a brace that is to stay"


class Template:
    """A text, read once. Raises `BadTemplate`."""

    def __init__(self, text: str) -> None:
        self._literals: list[str] = []
        columns: list[str] = []
        literal, end = "", 0
        for match in _PART.finditer(text):
            literal += text[end : match.start()]
            end = match.end()
            if match["stray"]:
                before = text[: match.start()]
                raise BadTemplate(match["stray"], before.count("\n") + 1, len(before) - before.rfind("\n"))
            if match["column"] is None:
                literal += match.group()[0]
            else:
                self._literals.append(literal)
                columns.append(match["column"])
                literal = ""
        self._literals.append(literal + text[end:])
        self._places = columns
        self.columns: Sequence[str] = tuple(dict.fromkeys(columns))
        """The columns that it names, each once."""

    @classmethod
    def of_column(cls, name: str) -> "Template":
        """The values of one column, whatever it is called."""
        template = cls("")
        template._literals, template._places, template.columns = ["", ""], [name], (name,)
        return template

    def render(self, values: Mapping[str, Sequence[str | None]], rows: int) -> list[str | None]:
        """The prompt of each of so many rows; None where one of its values is missing."""
        if not self._places:
            return [self._literals[0]] * rows
        columns = [values[name] for name in self._places]
        first, rest = self._literals[0], self._literals[1:]
        prompts: list[str | None] = []
        for row in zip(*columns, strict=True):
            if None in row:
                prompts.append(None)
            else:
                prompts.append(first + "".join(f"{value}{literal}" for value, literal in zip(row, rest, strict=True)))
        return prompts
