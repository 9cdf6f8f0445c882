"""Faults of YAML's syntax, from the parser's words into ours."""

import re
from typing import Final

import yaml
from yaml.reader import Reader

from forehearth.config.nodes import Fault, Mark

_MISPLACED: Final = "check that this line begins in the same column as its neighbours"

_WORDS: Final[tuple[tuple[str, str, str], ...]] = (
    (
        r"found character '\\t'",
        "a tab is used where only spaces may stand",
        "indent with spaces, and put one space after a ':'",
    ),
    (
        r"found character '(?P<what>[@`%])'",
        "a value may not begin with {what}",
        "put the value in quotes",
    ),
    (
        r"mapping values are not allowed",
        "there is a ':' where no key can be",
        "put a value that has ': ' in it in quotes; or check that the line is indented as its neighbours are",
    ),
    (
        r"while scanning a quoted scalar.*unexpected end of stream",
        "the quote that opens here is never closed",
        "close it, with the same quote",
    ),
    (
        r"unexpected document separator",
        "the quote that opens here is never closed",
        "close it, with the same quote",
    ),
    (
        r"found unknown escape character '(?P<what>.)'",
        "'\\{what}' means nothing in double quotes",
        "write '\\\\' for a backslash, or use single quotes, where it is an ordinary character",
    ),
    (
        r"escape sequence of \d+ hexa",
        "the escape has too few hexadecimal digits",
        "write \\xNN, \\uNNNN or \\UNNNNNNNN; or use single quotes, where a backslash is an ordinary character",
    ),
    (
        r"while parsing a flow sequence",
        "the list that opens here with '[' is not closed, or a ',' is missing in it",
        "write [one, two], and quote items that have signs in them",
    ),
    (
        r"while parsing a flow mapping",
        "the mapping that opens here with '{{' is not closed, or a ',' is missing in it",
        "write {{key: value, other: value}}; quote a value that begins with '{{'",
    ),
    (
        r"could not find expected ':'",
        "this line is neither 'key: value' nor an item of a list",
        "write 'key: value', with a space after the ':'",
    ),
    (
        r"expected <block end>, but found '(<block sequence start>|-)'",
        "this item of a list is not in line with the others",
        _MISPLACED,
    ),
    (
        r"expected <block end>, but found '<scalar>'",
        "there is text here that belongs to nothing",
        "if a quote ended the value before it, write '' for a quote within single quotes; else check the indentation",
    ),
    (r"expected <block end>", "this line is not in line with what it belongs to", _MISPLACED),
    (r"sequence entries are not allowed", "an item of a list cannot stand here", "begin the list on a line of its own"),
    (
        r"while scanning an? (anchor|alias)",
        "a name of letters and digits must follow & and *",
        "quote it if it is text",
    ),
    (r"found duplicate anchor", "the name after & is used twice", "give each its own"),
    (
        r"while scanning a block scalar",
        "'|' or '>' begins a text, and what follows it here is not one",
        "write '|' alone and the text, indented, in the lines below",
    ),
    (
        r"directive|incompatible YAML document",
        "a line that begins with % is for directives, and this one is none",
        "put the value in quotes",
    ),
    (r"tag", "a value that begins with '!' is a tag, and tags have no meaning here", "put the value in quotes"),
    (r"expected '<document start>'", "the file cannot go on with this", "check the indentation of this line"),
    (r"expected the node content", "a value is expected here", "put the value in quotes"),
)

_BEGINNING_MATTERS: Final = re.compile(
    r"while scanning a quoted scalar.*(end of stream|separator)|while parsing a flow|expected ':'"
)
"""Faults that are to be looked for where something was opened, not where the parser gave up."""


def unprintable(text: str) -> Fault | None:
    """The first character that YAML does not take, if there is one."""
    match = Reader.NON_PRINTABLE.search(text)
    if match is None:
        return None
    before = text[: match.start()]
    mark = Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
    return Fault(
        mark, f"the character U+{ord(match.group()):04X} may not stand in YAML", 'write it as "\\xNN" in quotes'
    )


def fault(error: yaml.MarkedYAMLError) -> Fault:
    """What the parser complained of, with its place and what to do about it."""
    said = f"{error.context or ''} {error.problem or ''}"
    mark = error.problem_mark or error.context_mark
    if error.context_mark is not None and _BEGINNING_MATTERS.search(said):
        mark = error.context_mark
    place = Mark(mark.line + 1, mark.column + 1) if mark is not None else Mark(1, 1)
    for pattern, message, hint in _WORDS:
        match = re.search(pattern, said, re.DOTALL)
        if match:
            words = match.groupdict()
            return Fault(place, message.format(**words), hint.format(**words))
    return Fault(place, f"this is not YAML: {said.strip()}")
