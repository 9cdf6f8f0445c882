"""Every house rule is shown to fail on a sample that breaks it, and to pass on one that does not."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts import check_ceilings


def lines(count: int) -> str:
    return "x = 1\n" * count


def function(count: int) -> str:
    return "def f():\n" + "    x = 1\n" * (count - 1)


SWALLOWED = "try:\n    x()\nexcept {error}:\n    {body}\n"

BAD = {
    "a file over the ceiling": ("src/a.py", lines(401), "file-length"),
    "a long file of tests": ("tests/unit/test_a.py", lines(601), "file-length"),
    "a long program for Node": ("tests/node/a.mjs", "x\n" * 601, "file-length"),
    "a long function": ("bench/a.py", function(61), "function-length"),
    "a long coroutine": ("src/a.py", "async " + function(61), "function-length"),
    "a module without a home": ("src/forehearth/utils.py", "", "homeless-name"),
    "a folder without a home": ("src/forehearth/common/a.py", "", "homeless-name"),
    "a swallowed error": ("src/a.py", SWALLOWED.format(error="Exception", body="pass"), "swallowed-error"),
    "every error swallowed": ("src/a.py", SWALLOWED.format(error="BaseException", body="..."), "swallowed-error"),
    "a bare except": ("src/a.py", SWALLOWED.format(error="", body="'never mind'"), "swallowed-error"),
    "an import inside a function": ("src/a.py", "def f():\n    import json\n", "deferred-import"),
    "an import inside a method": (
        "src/a.py",
        "class A:\n    def f(self):\n        from . import b\n",
        "deferred-import",
    ),
    "an engine outside its adapter": ("src/forehearth/wire/a.py", "def f():\n    import numpy\n", "deferred-import"),
    "noqa without a rule": ("src/a.py", "x = 1  # noqa\n", "bare-suppression"),
    "noqa without a reason": ("src/a.py", "x = 1  # noqa: S101\n", "bare-suppression"),
    "noqa with one word": ("tests/a.py", "x = 1  # noqa: S101, S105 - needed\n", "bare-suppression"),
    "a type without a reason": ("src/a.py", "x = 1  # type: ignore[attr-defined]\n", "bare-suppression"),
    "another rule's reason": ("src/a.py", "x = 1  # noqa: A001 - its name\ny = 1  # noqa: A002\n", "bare-suppression"),
    "a path of a machine": ("docs/a.md", "see /work/main/src\n", "machine-path"),
    "a home of a machine": ("src/a.py", 'x = "/root/.cache"\n', "machine-path"),
    "scratch space of a machine": ("scripts/a", "cd /tmp/x\n", "machine-path"),
    "a registry": ("README.md", "https://pypi.org/project/forehearth\n", "registry-host"),
    "a registry's files": ("tests/node/a.json", '{"resolved": "https://registry.npmjs.org/openai"}', "registry-host"),
    "a hidden direction change": ("docs/a.md", "a \u202e b\n", "odd-character"),
    "a space of no width": ("tests/a.py", "x = 'a\u200bb'\n", "odd-character"),
    "a space that does not break": ("README.md", "make\u00a0run\n", "odd-character"),
    "a letter of another script": ("src/a.py", "x = 'p\u0430yload'\n", "odd-character"),
}

GOOD = {
    "a file at the ceiling": ("src/a.py", lines(400)),
    "a function at the ceiling": ("src/a.py", function(60)),
    "data of any length": ("tests/conformance/vectors.json", "1\n" * 5000),
    "prose of any length": ("docs/a.md", "a\n" * 5000),
    "a narrow error": ("src/a.py", SWALLOWED.format(error="KeyError", body="pass")),
    "an error that is told": ("src/a.py", SWALLOWED.format(error="Exception as e", body="log(e)")),
    "a late engine in its adapter": ("src/forehearth/embedded/a.py", "def f():\n    import numpy as np\n"),
    "imports at the head": ("src/a.py", "import json\nfrom . import b\n"),
    "a test's own import": ("tests/a.py", "def f():\n    import json\n"),
    "noqa with a reason": ("src/a.py", "x = 1  # noqa: S101, S105 - the type checker needs it\n"),
    "one reason in a file": ("src/a.py", "x = 1  # noqa: D102 - asyncio's own\ny = 1  # noqa: D102\n"),
    "a type with a reason": ("src/a.py", "x = 1  # type: ignore[attr-defined]  # it has lines\n"),
    "a comment about noqa": ("src/a.py", "# what a noqa: X means\n"),
    "a test's scratch space": ("tests/a.py", 'x = "/tmp/socket"\n'),
    "an address with such a part": ("docs/a.md", "https://example.com/work/a and ./work/b\n"),
    "signs in prose": ("docs/a.md", "Gr\u00f6\u00dfe \u2013 \u201c5 \u00d7 4\u201d \u2192 20\n"),
    "signs in code": ("src/a.py", "# at most \u2026 \u2014 and so \u2192 on\n"),
    "bytes that are no text": ("tests/a.bin", "\udcff\udcfe"),
}


def repository(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8", errors="surrogateescape")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    return root


@pytest.mark.parametrize(("path", "text", "rule"), BAD.values(), ids=BAD)
def test_the_rule_finds(tmp_path: Path, path: str, text: str, rule: str) -> None:
    findings = check_ceilings.check(repository(tmp_path, {path: text}))
    assert [(finding.path, finding.rule) for finding in findings] == [(path, rule)]


@pytest.mark.parametrize(("path", "text"), GOOD.values(), ids=GOOD)
def test_nothing_is_found_in(tmp_path: Path, path: str, text: str) -> None:
    assert check_ceilings.check(repository(tmp_path, {path: text})) == []


def test_every_rule_has_a_bad_sample() -> None:
    assert {rule for _, _, rule in BAD.values()} == {rule.__name__.replace("_", "-") for rule in check_ceilings.RULES}


EXCEPTION = '[[exception]]\npath = "src/a.py"\nrule = "file-length"\nlimit = {limit}\nreason = "{reason}"\n'


@pytest.mark.parametrize(
    ("size", "most", "limit", "reason", "complaint"),
    [
        (450, 1, 460, "generated from the schema", None),
        (450, 1, 449, "generated from the schema", "450 lines"),
        (450, 1, 500, "generated from the schema", "lowered to 450"),
        (300, 1, 450, "generated from the schema", "not needed"),
        (450, 1, 450, "", "no reason"),
        (450, 0, 450, "generated from the schema", "only shrinks"),
    ],
)
def test_an_exception_is(tmp_path: Path, size: int, most: int, limit: int, reason: str, complaint: str | None) -> None:
    table = f"most = {most}\n" + EXCEPTION.format(limit=limit, reason=reason)
    root = repository(tmp_path, {"src/a.py": lines(size), "scripts/ceilings.toml": table})
    findings = check_ceilings.check(root)
    if complaint is None:
        assert findings == []
    else:
        assert complaint in " ".join(map(str, findings))


def test_what_git_ignores_is_not_looked_at(tmp_path: Path) -> None:
    files = {".gitignore": "build/\n", "build/utils.py": lines(900), "src/a.py": "x = 1\n"}
    assert check_ceilings.check(repository(tmp_path, files)) == []


def test_the_command_prints_a_line_a_finding(tmp_path: Path, repository_root: Path) -> None:
    root = repository(tmp_path, {"src/utils.py": ""})
    command = [sys.executable, "-m", "scripts.check_ceilings", "--root", str(root)]
    result = subprocess.run(command, cwd=repository_root, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stdout == "src/utils.py:1: homeless-name: utils says nothing: name the thing\n"
