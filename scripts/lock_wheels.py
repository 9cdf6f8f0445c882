"""Record which wheel each locked distribution installs on each supported platform; fail where there is none.

Usage: python -m scripts.lock_wheels PYLOCK OUTPUT. PYLOCK is the lock in the format of PEP 751, which names every file
of every distribution. `scripts/lock` runs this; the tests read the output, so they need no package index.
"""

import argparse
import json
import sys
import tomllib
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

PYTHONS = ((3, 11), (3, 12), (3, 13))
MACHINES = ("x86_64", "aarch64")
GLIBC = (2, 28)
"""The oldest C library that every locked wheel runs on. scripts/install refuses an older one."""


def platforms(machine: str) -> list[str]:
    """The wheel platforms that `machine` with that C library takes, best first."""
    major, newest = GLIBC
    return [f"manylinux_{major}_{minor}_{machine}" for minor in range(newest, 4, -1)] + [f"linux_{machine}"]


def tags(python: tuple[int, int], machine: str) -> list[Tag]:
    """The wheel tags that CPython `python` on `machine` takes, best first."""
    names = platforms(machine)
    interpreter = f"cp{python[0]}{python[1]}"
    return [*cpython_tags(python, platforms=names), *compatible_tags(python, interpreter, names)]


def environment(python: tuple[int, int], machine: str) -> dict[str, str | AbstractSet[str]]:
    """What the markers of a lock are asked about on such a machine."""
    version = f"{python[0]}.{python[1]}"
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{version}.0",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{version}.0",
        "python_version": version,
        "sys_platform": "linux",
    }


def choose(package: dict[str, Any], python: tuple[int, int], machine: str) -> tuple[str, str] | None:
    """The file name and sha256 of the best wheel of `package` there, or None."""
    rank = {tag: place for place, tag in enumerate(tags(python, machine))}
    best: tuple[int, str, str] | None = None
    for wheel in package.get("wheels", ()):
        name = wheel["url"].rpartition("/")[2].replace("%2B", "+")
        place = min((rank[tag] for tag in parse_wheel_filename(name)[3] if tag in rank), default=None)
        if place is not None and (best is None or place < best[0]):
            best = place, name, wheel["hashes"]["sha256"]
    return best and best[1:]


def survey(lock: dict[str, Any]) -> Iterator[tuple[dict[str, Any], tuple[int, int], str]]:
    """Every package of `lock` with every platform on which its marker wants it."""
    for package in lock["packages"]:
        marker = Marker(package["marker"]) if "marker" in package else None
        for python in PYTHONS:
            for machine in MACHINES:
                if marker is None or marker.evaluate(environment(python, machine)):
                    yield package, python, machine


def record(lock: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The wheels by distribution, platform and file, and a line for each that is missing."""
    wheels: dict[str, dict[str, Any]] = {}
    missing = []
    for package, python, machine in survey(lock):
        release = f"{package['name']}=={package['version']}"
        platform = f"cp{python[0]}{python[1]}-{machine}"
        found = choose(package, python, machine)
        if found is None:
            missing.append(f"{release} has no wheel for {platform}")
            continue
        entry = wheels.setdefault(release, {"platforms": {}, "sha256": {}})
        entry["platforms"][platform] = found[0]
        entry["sha256"][found[0]] = found[1]
    return wheels, missing


def main() -> int:
    """Read the lock, write the record, say what is missing."""
    parser = argparse.ArgumentParser(description="Record which wheel each supported platform installs.")
    parser.add_argument("lock", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    wheels, missing = record(tomllib.loads(options.lock.read_text()))
    if missing:
        print("\n".join(missing), file=sys.stderr)
        return 1
    options.output.write_text(json.dumps(wheels, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
