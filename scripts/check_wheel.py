"""Build the wheel, look into it, install it into a clean environment with the locked dependencies, and run it there.

Usage: python -m scripts.check_wheel. Prints one line a finding, and the size of the wheel.
"""

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = "forehearth"
LICENCES = ("LICENSE", "NOTICE")


def build(folder: Path, source: Path = ROOT) -> Path:
    """Build the wheel of a project into `folder` with the locked backend that is installed here, and return it."""
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source))
    (wheel,) = folder.glob("*.whl")
    return wheel


def strange_contents(wheel: Path) -> Iterator[str]:
    """What is missing from the wheel or should not be in it."""
    names = set(zipfile.ZipFile(wheel).namelist())
    listing = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "src")
    ours = {name.removeprefix("src/") for name in run(*listing, folder=ROOT).split("\0") if name}
    packed = {name for name in names if name.startswith(f"{PACKAGE}/")}
    yield from (f"{name} is not in the wheel" for name in sorted(ours - packed) if (ROOT / "src" / name).exists())
    yield from (f"{name} is in the wheel and not in the repository" for name in sorted(packed - ours))
    for name in sorted(names - packed):
        if ".dist-info/" not in name:
            yield f"{name} is in the wheel and not of the package"
    yield from (f"{name} is not in the wheel" for name in LICENCES if not any(n.endswith(f"/{name}") for n in names))


def install(wheel: Path, folder: Path) -> Path:
    """Make an environment in `folder` with the locked dependencies and the wheel; return its `forehearth`.

    The pip that is here installs into it, and compiles nothing that is never imported.
    """
    venv.create(folder)
    pip = (sys.executable, "-I", "-m", "pip", "--python", str(folder), "--disable-pip-version-check")
    quietly = (*pip, "install", "--quiet", "--no-compile")
    run(*quietly, "--require-hashes", "--only-binary", ":all:", "-r", str(ROOT / "requirements.lock"))
    run(*quietly, "--no-index", "--no-deps", str(wheel))
    run(*pip, "check")
    return folder / "bin" / PACKAGE


def run(*command: str, folder: Path | None = None) -> str:
    """What `command` prints; what it complains about is in the error when it fails."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FOREHEARTH_"))}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> int:
    """Do all of it, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build(folder)
        findings = list(strange_contents(wheel))
        print("\n".join([*findings, f"{wheel.name}: {wheel.stat().st_size // 1024} KiB"]))
        program = install(wheel, folder / "venv")
        print(run(str(program), "version", folder=folder).strip())
        for example in sorted((ROOT / "examples").glob("*.yaml")):
            print(run(str(program), "config", "check", str(example), folder=folder).strip())
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
