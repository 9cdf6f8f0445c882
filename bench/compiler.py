"""Builds the mock upstream, the load generator and the clock that is set; `make bench` and `make faults` need it."""

import shutil
import subprocess
from pathlib import Path

from bench.errors import MissingToolError

_SOURCES = Path(__file__).parent / "native"
_LIBRARIES = {"mock": ("-lssl", "-lcrypto"), "load": (), "clock": ("-shared", "-fPIC", "-ldl")}
_REMEDY = "on Debian or Ubuntu: apt-get install gcc libc6-dev libssl-dev"


def build(name: str, work: Path) -> Path:
    """Compile one program unless it is newer than every source, and return it."""
    source, program = _SOURCES / f"{name}.c", work / "native" / name
    changed = max(part.stat().st_mtime for part in _SOURCES.iterdir())
    if program.exists() and program.stat().st_mtime > changed:
        return program
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        raise MissingToolError(f"small C programs are built here, and no compiler was found; {_REMEDY}")
    program.parent.mkdir(parents=True, exist_ok=True)
    command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), str(source), *_LIBRARIES[name]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
        raise MissingToolError(f"{name}.c did not compile ({first}); {_REMEDY}")
    return program
