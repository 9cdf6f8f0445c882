"""The locks are complete, and each thing that could be missing from one is shown to be found."""

import json
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts import check_locks

FILES = (
    "pyproject.toml",
    *check_locks.LOCKS,
    *check_locks.AIRFLOW,
    "deps-wheels.json",
    "deps-advisories.json",
)

IMPORTING_PTH = {
    "distutils-precedence.pth": "of setuptools, which the venv of Python 3.11 brings",
}
"""Files in site-packages that run code when Python starts, with the reason why they may."""


def test_the_locks_of_this_repository_are_complete(
    repository_root: Path, record_property: Callable[[str, object], None]
) -> None:
    findings, count = check_locks.check(repository_root)
    record_property("dependencies", count)
    assert findings == []


Change = Callable[[str], str]

BROKEN: dict[str, tuple[str, Change, str]] = {
    "a version that floats": (
        "requirements.lock",
        lambda text: text.replace("click==", "click>="),
        "is not a version with hashes",
    ),
    "a release without hashes": ("requirements.lock", lambda text: text + "toolz==1.0.0\n", "toolz==1.0.0 is not"),
    "a release from an address": (
        "requirements-build.lock",
        lambda text: text + f"toolz @ https://example.com/toolz.whl --hash=sha256:{'0' * 64}\n",
        "is not a version with hashes",
    ),
    "a release that only the long tier needs, and that floats": (
        "requirements-soak.lock",
        lambda text: text.replace("atheris==", "atheris>="),
        "is not a version with hashes",
    ),
    "a wheel that only the long tier needs, and that is not recorded": (
        "requirements-soak.lock",
        lambda text: text.replace("atheris==3.", "atheris==9."),
        "has no wheel for cp311-x86_64",
    ),
    "a release of Airflow that floats": (
        "requirements-airflow.lock",
        lambda text: text.replace("apache-airflow==", "apache-airflow>="),
        "is not a version with hashes",
    ),
    "a release of Airflow that nobody asked for": (
        "examples/airflow/requirements.in",
        lambda text: text.replace("apache-airflow==", "apache-airflow==1."),
        "is not apache-airflow==1.",
    ),
    "an index of its own": (
        "requirements-dev.lock",
        lambda text: "--index-url https://example.com\n" + text,
        "--index-url https://example.com is not",
    ),
    "a release that differs between locks": (
        "requirements.lock",
        lambda text: text.replace("uvicorn==0.", "uvicorn==9."),
        "differs",
    ),
    "a version that the project refuses": (
        "requirements.lock",
        lambda text: text.replace("uvicorn==0.", "uvicorn==9."),
        "is not uvicorn==0.",
    ),
    "a dependency that is not locked": (
        "pyproject.toml",
        lambda text: text.replace('"click', '"toolz>=1",\n    "click', 1),
        "toolz is not locked",
    ),
    "an extra that no test has": (
        "pyproject.toml",
        lambda text: text.replace('postgres = ["asyncpg', 'postgres = ["toolz>=1", "asyncpg'),
        "toolz is not locked",
    ),
    "an extra of another release than the tested one": (
        "pyproject.toml",
        lambda text: text.replace('postgres = ["asyncpg>=0', 'postgres = ["asyncpg>=9'),
        "is not asyncpg>=9",
    ),
    "one dependency too many": (
        "pyproject.toml",
        lambda text: text.replace('"click', '"toolz>=1",\n    "click', 1),
        f"{check_locks.MOST_DIRECT + 1} direct",
    ),
    "a platform without a wheel": (
        "deps-wheels.json",
        lambda text: text.replace('"cp313-aarch64"', '"cp39-aarch64"'),
        "has no wheel for cp313-aarch64",
    ),
    "a wheel that the lock does not know": (
        "deps-wheels.json",
        lambda text: text.replace('.whl": "', '.whl": "00'),
        "is not a wheel that the lock names",
    ),
    "a source distribution": (
        "deps-wheels.json",
        lambda text: text.replace('.whl": "', '.tar.gz": "'),
        "is not a wheel",
    ),
    "wheels of a release that is gone": (
        "deps-wheels.json",
        lambda text: text.replace('"click==', '"toolz==9.'),
        "is recorded but not locked",
    ),
    "a release that nobody looked up": (
        "deps-advisories.json",
        lambda text: text.replace('"click==', '"toolz==9.'),
        "has no entry in deps-advisories.json",
    ),
    "a review of a release that is gone": (
        "deps-advisories.json",
        lambda text: text.replace('"click==', '"toolz==9.'),
        "is not locked any more",
    ),
    "a review without a date": (
        "deps-advisories.json",
        lambda text: text.replace('"reviewed"', '"looked at"'),
        "the review has no date",
    ),
    "a review without a result": (
        "deps-advisories.json",
        lambda text: text.replace('"open"', '"found"'),
        "lists the advisories",
    ),
}


@pytest.mark.parametrize(("file", "change", "complaint"), BROKEN.values(), ids=BROKEN)
def test_the_check_finds(tmp_path: Path, repository_root: Path, file: str, change: Change, complaint: str) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository_root / name, tmp_path / name)
    text = (tmp_path / file).read_text()
    (tmp_path / file).write_text(change(text))
    assert (tmp_path / file).read_text() != text
    findings, _ = check_locks.check(tmp_path)
    assert any(complaint in finding for finding in findings), findings


def site_packages() -> Path:
    return next(Path(path) for path in sys.path if path.endswith("site-packages"))


def runs_code(text: str) -> bool:
    return any(line.startswith(("import ", "import\t")) for line in text.splitlines())


def test_nothing_runs_when_python_starts_but_what_is_known() -> None:
    running = {path.name for path in site_packages().glob("*.pth") if runs_code(path.read_text())}
    assert running <= set(IMPORTING_PTH)


@pytest.mark.parametrize(
    ("text", "runs"), [("import os; os.x()\n", True), ("src\nimport\ta\n", True), ("src\n", False)]
)
def test_a_path_file_runs_code_by_its_import_lines(text: str, runs: bool) -> None:
    assert runs_code(text) is runs


def test_every_installed_file_is_of_a_package() -> None:
    folder = site_packages()
    known = set()
    for record in folder.glob("*.dist-info/RECORD"):
        for line in record.read_text().splitlines():
            known.add((folder / line.rpartition(",")[0].rpartition(",")[0].strip('"')).resolve())
    strange = [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.resolve() not in known
    ]
    assert strange == []


def test_the_wheels_recorded_are_for_every_platform_that_is_promised(repository_root: Path) -> None:
    wheels = json.loads((repository_root / "deps-wheels.json").read_text())
    seen = {platform for entry in wheels.values() for platform in entry["platforms"]}
    assert seen == {f"cp3{minor}-{machine}" for minor in (11, 12, 13) for machine in ("x86_64", "aarch64")}


def test_every_dependency_has_its_reason(repository_root: Path) -> None:
    project = tomllib.loads((repository_root / "pyproject.toml").read_text())
    groups = [line for group in project["dependency-groups"].values() for line in group if isinstance(line, str)]
    extras = [line for extra in project["project"]["optional-dependencies"].values() for line in extra]
    tables = (project["project"]["dependencies"], extras, groups)
    named = [name for table in tables for name in {Requirement(line).name for line in table}]
    page = (repository_root / "docs" / "decisions" / "002-dependencies.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| ")]
    explained = [name for name, licence, reason in rows if licence and reason and name != "package"]
    assert sorted(explained) == sorted(named)
