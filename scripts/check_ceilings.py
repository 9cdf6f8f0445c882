"""The house rules that no linter knows: how large things may grow, and what must not stand in the repository.

Usage: python -m scripts.check_ceilings [--root DIR]. Prints `path:line: rule: what` for each finding, and fails if
there is one. Exceptions stand in scripts/ceilings.toml, each with its reason; one that is no longer needed is a finding
itself.
"""

import argparse
import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

LONGEST_FILE = {"src": 400, "bench": 400, "scripts": 400, "tests": 600}
LONGEST_FUNCTION = 60
SLACK = 20
"""By how many lines an exception may be larger than what it excepts before it has to be lowered."""

HOMELESS = frozenset({"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"})
HEAVY = frozenset({"xllamacpp", "onnxruntime", "tokenizers", "numpy", "soundfile", "av"})
"""Engines that may be imported late, by the adapters in `embedded` alone."""
HEAVY_ADAPTERS = frozenset({"forehearth.embedded.transcription_engine", "forehearth.embedded.speech_engine"})
"""Adapters of ours that are numpy all through, and may be imported late for the same reason."""

PATHS = re.compile(r"(?<![\w.$}~/-])/(?:work|root|tmp)/")
HOSTS = re.compile(
    r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|deb\.debian\.org|debian\.org/debian|crates\.io"
    r"|proxy\.golang\.org|ghcr\.io|docker\.io|quay\.io|mcr\.microsoft\.com)\b",
)
SUPPRESSIONS = re.compile(r"#\s*(?:noqa|type:\s*ignore|pragma:\s*no\s*cover|nosec|pyright:)(?P<rest>.*)", re.IGNORECASE)
CODES = re.compile(r"^\s*(?::\s*)?(?:[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)?(?:\[[\w, -]+\])?")
SIGNS = frozenset("\u2026\u2192\u2014\u2264\u2265\u00b5")
"""Signs beyond ASCII that prose in code may use. Elsewhere everything visible may stand."""

THIS = "scripts/check_ceilings.py"
ITS_TESTS = "tests/unit/scripts/test_check_ceilings.py"
LONGEST_LINE_OF_DATA = 20_000
"""Files with longer lines are data, not text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is not as it should be. `size` is what was measured, where the rule measures."""

    path: str
    line: int
    rule: str
    what: str
    size: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.what}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A file of the repository, read. `tree` is there when it is Python."""

    path: str
    text: str
    tree: ast.Module | None

    @property
    def area(self) -> str:
        """The folder at the root that it is in, or nothing."""
        return self.path.partition("/")[0] if "/" in self.path else ""


def file_length(source: Source) -> Iterator[Finding]:
    """No file is longer than its area allows."""
    lines = source.text.count("\n")
    most = LONGEST_FILE.get(source.area)
    if most is not None and source.path.endswith((".py", ".mjs", ".sh", ".sql")) and lines > most:
        yield Finding(path=source.path, line=1, rule="file-length", what=f"{lines} lines, {most} at most", size=lines)


def function_length(source: Source) -> Iterator[Finding]:
    """No function is longer than a screen."""
    for node in ast.walk(source.tree) if source.tree else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                what = f"{node.name} has {lines} lines, {LONGEST_FUNCTION} at most"
                yield Finding(path=source.path, line=node.lineno, rule="function-length", what=what, size=lines)


def homeless_name(source: Source) -> Iterator[Finding]:
    """A module is named after what it is."""
    path = PurePosixPath(source.path)
    for part in (*path.parent.parts, path.stem):
        if part.lower() in HOMELESS:
            yield Finding(path=source.path, line=1, rule="homeless-name", what=f"{part} says nothing: name the thing")


def swallowed_error(source: Source) -> Iterator[Finding]:
    """A broad `except` does something about it."""
    for node in ast.walk(source.tree) if source.tree else ():
        if not isinstance(node, ast.ExceptHandler):
            continue
        broad = node.type is None or (
            isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}
        )
        if broad and all(isinstance(step, ast.Pass | ast.Continue | ast.Expr) for step in node.body):
            silent = all(not isinstance(step, ast.Expr) or isinstance(step.value, ast.Constant) for step in node.body)
            if silent:
                what = "a broad except that does nothing"
                yield Finding(path=source.path, line=node.lineno, rule="swallowed-error", what=what)


def deferred_import(source: Source) -> Iterator[Finding]:
    """Imports stand at the head of the file."""
    if source.tree is None or source.area == "tests":
        return
    for function in ast.walk(source.tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            for module in imported(node):
                is_heavy = module.partition(".")[0] in HEAVY or module in HEAVY_ADAPTERS
                if is_heavy and source.path.startswith("src/forehearth/embedded/"):
                    continue
                what = f"{module} is imported inside {function.name}"
                yield Finding(path=source.path, line=node.lineno, rule="deferred-import", what=what)  # type: ignore[attr-defined]  # imports have lines


def imported(node: ast.AST) -> tuple[str, ...]:
    """The modules that a statement imports, if it is one that does."""
    if isinstance(node, ast.Import):
        return tuple(alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return ("." * node.level + (node.module or ""),)
    return ()


def bare_suppression(source: Source) -> Iterator[Finding]:
    """Whoever silences a check says which and why, in the same comment; once in a file is enough."""
    if source.tree is None:
        return
    explained: set[str] = set()
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        found = SUPPRESSIONS.match(token.string) if token.type == tokenize.COMMENT else None
        if not found:
            continue
        head = CODES.match(found["rest"])
        codes = set(re.findall(r"[A-Za-z][\w-]+", head[0])) if head else set()
        if len(re.findall(r"[A-Za-z]{2,}", CODES.sub("", found["rest"], count=1))) > 1:
            explained |= codes
        elif not codes or not codes <= explained:
            what = "say which rule and why: `# noqa: RULE - reason`"
            yield Finding(path=source.path, line=token.start[0], rule="bare-suppression", what=what)


def machine_path(source: Source) -> Iterator[Finding]:
    """No path of somebody's machine stands in the repository. Tests may name the system's scratch folder."""
    for number, line in enumerate(source.text.splitlines(), 1):
        for found in PATHS.findall(line):
            if not (source.area == "tests" and found == "/tmp/"):  # noqa: S108 - the path is what is looked for
                yield Finding(path=source.path, line=number, rule="machine-path", what=f"{found} is of one machine")


def registry_host(source: Source) -> Iterator[Finding]:
    """Where packages come from is the machine's to say."""
    for number, line in enumerate(source.text.splitlines(), 1):
        for found in HOSTS.findall(line):
            what = f"{found} is a package registry; the machine chooses its own"
            yield Finding(path=source.path, line=number, rule="registry-host", what=what)


def odd_character(source: Source) -> Iterator[Finding]:
    """Code is ASCII but for a few signs; nowhere is there a character that cannot be seen."""
    if source.text.isascii():
        return
    code = source.area in {"src", "bench", "scripts"}
    for number, line in enumerate(source.text.splitlines(), 1):
        for sign in sorted(set(line) - SIGNS):
            unseen = sign != "\t" and unicodedata.category(sign) in {"Cc", "Cf", "Co", "Cn", "Zl", "Zp"}
            space = sign != " " and unicodedata.category(sign) == "Zs"
            if unseen or space or (code and not sign.isascii()):
                what = f"U+{ord(sign):04X}, {unicodedata.name(sign, 'without a name')}: write it as an escape"
                yield Finding(path=source.path, line=number, rule="odd-character", what=what)


RULES: tuple[Callable[[Source], Iterator[Finding]], ...] = (
    file_length,
    function_length,
    homeless_name,
    swallowed_error,
    deferred_import,
    bare_suppression,
    machine_path,
    registry_host,
    odd_character,
)


def sources(root: Path) -> Iterator[Source]:
    """Every text file that is in the repository or about to be."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=root, check=True, capture_output=True, text=True).stdout
    for name in sorted(filter(None, names.split("\0"))):
        if name in {THIS, ITS_TESTS} or not (root / name).is_file():
            continue
        try:
            text = (root / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if max(map(len, text.splitlines()), default=0) < LONGEST_LINE_OF_DATA:
            python = name.endswith(".py") and PurePosixPath(name).parts[0] in LONGEST_FILE
            yield Source(path=name, text=text, tree=ast.parse(text, name) if python else None)


def excepted(findings: list[Finding], table: list[dict[str, str | int]]) -> Iterator[Finding]:
    """The findings that the table does not except, and the table's own: stale, too generous, or without a reason."""
    left = list(findings)
    for entry in table:
        path, rule, most = str(entry["path"]), str(entry["rule"]), int(entry.get("limit", 0))
        covered = [f for f in findings if (f.path, f.rule) == (path, rule) and f.size <= (most or f.size)]
        left = [f for f in left if f not in covered]
        size = max((f.size for f in covered), default=0)
        if not covered:
            yield Finding(path=path, line=1, rule=rule, what="this exception is not needed: take it out")
        elif most > size + SLACK:
            yield Finding(path=path, line=1, rule=rule, what=f"this exception may be lowered to {size}")
        if not str(entry.get("reason", "")).strip():
            yield Finding(path=path, line=1, rule=rule, what="this exception has no reason")
    yield from left


def check(root: Path) -> list[Finding]:
    """Everything that is wrong under `root`, exceptions taken into account."""
    findings = [finding for source in sources(root) for rule in RULES for finding in rule(source)]
    table = root / "scripts" / "ceilings.toml"
    content = tomllib.loads(table.read_text()) if table.exists() else {}
    entries, most = content.get("exception", []), content.get("most", 0)
    result = list(excepted(findings, entries))
    if len(entries) > most:
        what = f"{len(entries)} exceptions, {most} at most: the table only shrinks"
        result.append(Finding(path="scripts/ceilings.toml", line=1, rule="exceptions", what=what))
    return result


def main() -> int:
    """Print the findings."""
    parser = argparse.ArgumentParser(description="Check the house rules that no linter knows.")
    parser.add_argument("--root", type=Path, default=Path(__file__).parent.parent)
    findings = check(parser.parse_args().root)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
