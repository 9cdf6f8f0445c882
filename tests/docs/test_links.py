"""Every link inside the docs leads somewhere, and every page can be reached from the README."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)|^\[[^\]]+\]:\s*(?P<reference>\S+)", re.MULTILINE)
IMAGE = re.compile(r"!\[[^\]]*\]\((?P<target>[^)\s]+)\)")
CODE = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2[`~]*\s*?$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
OUTSIDE = ("http://", "https://", "mailto:")
REPORTS = ("docs/soak/", "docs/benchmarks/")
"""Folders of dated reports: reached through their folder."""

PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
)


def links(text: str) -> list[str]:
    prose = CODE.sub("", text)
    found = [match["target"] or match["reference"] for match in LINK.finditer(prose)]
    return [*found, *(match["target"] for match in IMAGE.finditer(prose))]


def anchors(text: str) -> set[str]:
    """The names by which a page's headings can be linked to, as the usual renderers make them."""
    found: dict[str, int] = {}
    result = set()
    for line in re.sub(r"^( *)(`{3,}|~{3,}).*?^\1\2[`~]*\s*?$", "", text, flags=re.MULTILINE | re.DOTALL).splitlines():
        heading = re.match(r"#{1,6}\s+(.*?)\s*#*$", line)
        if heading:
            words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1])
            name = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
            times = found.get(name, 0)
            found[name] = times + 1
            result.add(f"{name}-{times}" if times else name)
    return result


def broken(root: Path, page: str) -> list[str]:
    """The links of a page that lead nowhere."""
    result = []
    for link in links((root / page).read_text(encoding="utf-8")):
        if link.startswith(OUTSIDE):
            continue
        name, _, anchor = link.partition("#")
        target = (root / page).parent / name if name else root / page
        inside = target.exists() and target.resolve().is_relative_to(root.resolve())
        elsewhere = anchor and target.suffix == ".md" and inside and anchor not in anchors(target.read_text("utf-8"))
        if not inside or elsewhere:
            result.append(link)
    return result


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    assert broken(ROOT, page) == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), ["README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        for link in links((ROOT / page).read_text(encoding="utf-8")):
            if link.startswith(OUTSIDE):
                continue
            target = ((ROOT / page).parent / link.partition("#")[0]).resolve()
            inside = [target, *target.glob("*.md")] if target.is_dir() else [target]
            names = {
                str(path.relative_to(ROOT)) for path in inside if path.suffix == ".md" and path.is_relative_to(ROOT)
            }
            waiting += [name for name in names if name not in reached and (ROOT / name).exists()]
    assert [page for page in PAGES if page not in reached and not page.startswith(REPORTS)] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](other.md) and [b](other.md#part-one)", []),
        ("[a](missing.md)", ["missing.md"]),
        ("[a](other.md#part-two)", ["other.md#part-two"]),
        ("[a](#here)\n\n# Here", []),
        ("[a](#there)\n\n# Here", ["#there"]),
        ("[a][b]\n\n[b]: missing.md", ["missing.md"]),
        ("![a](missing.png)", ["missing.png"]),
        ("[a](https://example.com/missing)", []),
        ("`[a](missing.md)`\n\n```text\n[a](missing.md)\n```\n", []),
        ("[a](../../etc/passwd)", ["../../etc/passwd"]),
    ],
)
def test_a_link_that_leads_nowhere_is_found(tmp_path: Path, text: str, expected: list[str]) -> None:
    (tmp_path / "page.md").write_text(text)
    (tmp_path / "other.md").write_text("# Part one\n")
    assert broken(tmp_path, "page.md") == expected


def test_the_index_of_the_docs_has_every_page_that_is_no_report_and_no_decision() -> None:
    index = {link.partition("#")[0] for link in links((ROOT / "docs/README.md").read_text(encoding="utf-8"))}
    kinds = ("tutorial", "how-to", "reference", "explanation")
    there = {str(path.relative_to(ROOT / "docs")) for kind in kinds for path in (ROOT / "docs" / kind).glob("*.md")}
    assert there - index == set()
