"""Build a wheel in which what every call runs through is compiled: `make wheel`, or `python -m scripts.compiled_wheel`.

It is for the interpreter and the kind of machine that it was built with. `--out FOLDER` says where it goes.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
_ASKED = {"HATCH_BUILD_HOOK_ENABLE_CUSTOM": "true"}
INTERRUPTED = 130
"""The exit status of a program that Ctrl-C ended."""
_REMEDY = "on Debian or Ubuntu: sudo apt-get install gcc python3-dev"


class NotCompiledError(Exception):
    """There is no compiled wheel, and why."""


def build(folder: Path) -> Path:
    """Build it into `folder`, with the locked tools that are installed here, and return it. Raises `NotCompiledError`.

    It takes a minute.
    """
    compiler = os.environ.get("CC") or str(sysconfig.get_config_var("CC") or "cc")
    lacking = obstacle(compiler.split()[0], Path(sysconfig.get_path("include")))
    if lacking:
        raise NotCompiledError(f"{lacking}; {_REMEDY}")
    with tempfile.TemporaryDirectory() as name:
        command = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", name, str(ROOT))
        done = subprocess.run(command, env={**os.environ, **_ASKED}, capture_output=True, text=True, check=False)
        if done.returncode:
            words = (done.stdout + done.stderr)[-2000:]
            raise NotCompiledError(f"the build ended with {done.returncode}:\n{words}")
        (wheel,) = Path(name).glob("*.whl")
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy2(wheel, folder))


def unpacked(folder: Path, root: Path = ROOT, make: Callable[[Path], Path] = build) -> Path:
    """Build it and unpack it into `folder`: who has that in PYTHONPATH runs it. Raises `NotCompiledError`.

    What is there already stays, if it was made of the same sources, which are under `root`.
    """
    stamp, sources = folder / "sources", _sources(root)
    if stamp.exists() and stamp.read_text() == sources:
        return folder
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(make(Path(name))) as wheel:
        shutil.rmtree(folder, ignore_errors=True)
        wheel.extractall(folder)
    stamp.write_text(sources)
    return folder


def modules(environ: Mapping[str, str]) -> str:
    """What a program of this environment says of its modules: `source` or `compiled`."""
    command = (sys.executable, "-m", "forehearth", "version", "--json")
    said = subprocess.run(command, env=environ, capture_output=True, check=True).stdout
    return str(json.loads(said)["modules"])


def _sources(root: Path) -> str:
    """A digest of all that decides what is built."""
    digest = hashlib.sha256(sys.version.encode())
    within = (each for each in (root / "src").rglob("*") if each.is_file() and each.suffix != ".pyc")
    for file in sorted([root / "pyproject.toml", root / "scripts" / "compiling.py", *within]):
        digest.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def obstacle(compiler: str, include: Path) -> str:
    """What is missing to compile with a C compiler and the headers in a folder; empty where nothing is."""
    if not shutil.which(compiler):
        return f"there is no C compiler here ({compiler})"
    if not (include / "Python.h").exists():
        return f"the headers of Python {sys.version_info.major}.{sys.version_info.minor} are not here"
    return ""


def main() -> int:
    """Build it, and say where it is and how it is installed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.compiled_wheel", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="FOLDER", help="where the wheel goes")
    folder = parser.parse_args().out
    print("compiling; it takes a minute", file=sys.stderr, flush=True)
    try:
        wheel = build(folder)
    except NotCompiledError as error:
        print(f"not compiled: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    shown = os.path.relpath(wheel)
    print(f"{shown}: {wheel.stat().st_size // 1024} KiB")
    print(f"install it with: pip install --require-hashes -r requirements.lock && pip install --no-deps {shown}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
