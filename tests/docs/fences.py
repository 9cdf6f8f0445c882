"""The fenced blocks of a page, and what the comments around them say of how they are run."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,}|~{3,})(?P<info>.*)$")
COMMENT = re.compile(r"^\s*<!--\s*(?P<word>not run|fails|run against):\s*(?P<rest>.+?)\s*-->\s*$")
TITLE = re.compile(r'\btitle="(?P<title>[^"]+)"')


@dataclass(frozen=True, kw_only=True, slots=True)
class Fence:
    """A fenced block.

    A comment on the line before it may say `<!-- not run: reason -->` or `<!-- fails: reason -->`. In the info string,
    `title="NAME"` saves the block as a file for the blocks after it.
    """

    line: int
    language: str
    title: str | None
    text: str
    not_run: str | None = None
    fails: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page of the docs. `server` is the configuration that it names by `<!-- run against: PATH -->`, or None."""

    path: str
    fences: tuple[Fence, ...]
    server: str | None = None


def pages(root: Path) -> list[str]:
    """The pages whose blocks are run."""
    return ["README.md", "CONTRIBUTING.md", *sorted(str(path.relative_to(root)) for path in root.glob("docs/**/*.md"))]


def read(root: Path, path: str) -> Page:
    """The page at `path`. Raises `ValueError` for a block that does not end or a comment that belongs to none."""
    lines = (root / path).read_text(encoding="utf-8").splitlines()
    server = next(
        (found["rest"] for found in map(COMMENT.match, lines) if found and found["word"] == "run against"), None
    )
    return Page(path=path, fences=tuple(_fences(lines, path)), server=server)


def _fences(lines: list[str], path: str) -> Iterator[Fence]:
    mark: re.Match[str] | None = None
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        opening = FENCE.match(line)
        if opening:
            end = _end(lines, number, opening, path)
            yield _fence(lines[number:end], number, opening, mark)
            number, mark = end + 1, None
            continue
        comment = COMMENT.match(line)
        if mark and line.strip():
            raise ValueError(f"{path}:{number - 1}: this comment belongs to no block")
        if comment and comment["word"] != "run against":
            mark = comment
    if mark:
        raise ValueError(f"{path}:{number}: this comment belongs to no block")


def _end(lines: list[str], start: int, opening: re.Match[str], path: str) -> int:
    for number in range(start, len(lines)):
        found = FENCE.match(lines[number])
        if found and found["ticks"].startswith(opening["ticks"]) and not found["info"].strip():
            return number
    raise ValueError(f"{path}:{start}: this block does not end")


def _fence(body: list[str], number: int, opening: re.Match[str], mark: re.Match[str] | None) -> Fence:
    info = opening["info"].strip()
    title = TITLE.search(info)
    indent = len(opening["indent"])
    return Fence(
        line=number,
        language=info.partition(" ")[0].lower(),
        title=title and title["title"],
        text="".join(f"{line[min(indent, len(line) - len(line.lstrip())) :]}\n" for line in body),
        not_run=mark["rest"] if mark and mark["word"] == "not run" else None,
        fails=mark["rest"] if mark and mark["word"] == "fails" else None,
    )
