"""Check the locks: everything that is installed is pinned, hashed, a wheel, and looked up for advisories.

Usage: python -m scripts.check_locks [--root DIR]. Prints one line a finding, and a count. It asks no package index:
which wheels there are was recorded by scripts/lock in deps-wheels.json.
"""

import argparse
import datetime as dt
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.lock_wheels import MACHINES, PYTHONS, environment

MOST_DIRECT = 15
MOST_TOTAL = 40
AIRFLOW = ("examples/airflow/requirements.in", "requirements-airflow.lock")
"""What an environment of its own is asked to have, and its lock; which wheels there are for it is not recorded."""
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-soak.lock", "requirements-dev.lock")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[^\s;]+)(?:\s*;\s*(?P<marker>.*?))?$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """One line of a lock."""

    name: str
    version: str
    marker: Marker | None
    hashes: frozenset[str]

    @property
    def release(self) -> str:
        """Name and version, as pip writes them."""
        return f"{self.name}=={self.version}"

    def platforms(self) -> set[str]:
        """The supported platforms on which it is installed."""
        return {
            f"cp{python[0]}{python[1]}-{machine}"
            for python in PYTHONS
            for machine in MACHINES
            if self.marker is None or self.marker.evaluate(environment(python, machine))
        }


def read_lock(text: str) -> tuple[list[Pin], list[str]]:
    """The pins of a lock, and what stands in it that is none."""
    pins, odd = [], []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        content = line.partition(" #")[0].strip()
        if not content or content.startswith("#"):
            continue
        found = PIN.match(HASH.sub("", content).strip())
        hashes = frozenset(HASH.findall(content))
        if not found or not hashes:
            odd.append(f"{content[:60]} is not a version with hashes")
            continue
        marker = Marker(found["marker"]) if found["marker"] else None
        pins.append(Pin(name=found["name"], version=found["version"], marker=marker, hashes=hashes))
    return pins, odd


def missing_direct(wanted: Iterable[str], pins: list[Pin]) -> Iterator[str]:
    """The dependencies of the project, or of an extra of it, that the lock does not satisfy."""
    for line in wanted:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        versions = [pin.version for pin in pins if pin.name == name]
        if not versions:
            yield f"{name} is not locked"
        yield from (f"{name}=={v} is not {line}" for v in versions if not requirement.specifier.contains(v, True))


def missing_wheels(pins: list[Pin], wheels: dict[str, Any]) -> Iterator[str]:
    """The platforms for which no wheel is recorded, and the wheels whose hash the lock does not have."""
    for pin in pins:
        entry = wheels.get(pin.release, {"platforms": {}, "sha256": {}})
        for platform in sorted(pin.platforms() - set(entry["platforms"])):
            yield f"{pin.release} has no wheel for {platform}"
        for file, digest in entry["sha256"].items():
            if not file.endswith(".whl") or digest not in pin.hashes:
                yield f"{file} is not a wheel that the lock names"
    yield from (f"{release} is recorded but not locked" for release in set(wheels) - {pin.release for pin in pins})


def missing_advisories(pins: list[Pin], advisories: dict[str, Any]) -> Iterator[str]:
    """The locked releases that nobody has looked up, and the entries that say too little or too much."""
    entries = advisories["releases"]
    yield from (f"{pin.release} has no entry in deps-advisories.json" for pin in pins if pin.release not in entries)
    yield from (f"{release} is not locked any more" for release in set(entries) - {pin.release for pin in pins})
    for release, entry in entries.items():
        try:
            dt.date.fromisoformat(entry["reviewed"])
        except (KeyError, ValueError):
            yield f"{release}: the review has no date"
        if not isinstance(entry.get("open"), list):
            yield f"{release}: `open` lists the advisories that apply, or is empty"


def check(root: Path) -> tuple[list[str], str]:
    """What is wrong under `root`, and the count that is worth a line."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    locks = {}
    findings = []
    for name in LOCKS:
        locks[name], odd = read_lock((root / name).read_text())
        findings += [f"{name}: {line}" for line in odd]
    runtime, build, soak, everything = locks.values()
    for name in ("requirements.lock", "requirements-build.lock"):
        known = {(pin.release, pin.hashes) for pin in everything}
        findings += [f"{name}: {p.release} differs" for p in locks[name] if (p.release, p.hashes) not in known]
    findings += missing_direct(project["project"]["dependencies"], runtime)
    for extra in project["project"]["optional-dependencies"].values():
        findings += missing_direct(extra, everything)  # users choose their release; this is the one that was tested
    wanted, lock = ((root / name).read_text() for name in AIRFLOW)
    apart, odd = read_lock(lock)
    findings += [f"{AIRFLOW[1]}: {line}" for line in (*odd, *missing_direct(wanted.splitlines(), apart))]
    findings += missing_wheels(everything + soak, json.loads((root / "deps-wheels.json").read_text()))
    findings += missing_advisories(runtime, json.loads((root / "deps-advisories.json").read_text()))
    direct, total = len(project["project"]["dependencies"]), len({pin.name for pin in runtime})
    if direct > MOST_DIRECT or total > MOST_TOTAL:
        findings.append(f"{direct} direct and {total} dependencies in all; {MOST_DIRECT} and {MOST_TOTAL} at most")
    tools = f"{len(everything)} with tools, {len(soak)} to soak, {len(apart)} apart for Airflow"
    return findings, f"{direct} direct, {total} in all at run time, {len(build)} to build, {tools}"


def main() -> int:
    """Print the findings and the count."""
    parser = argparse.ArgumentParser(description="Check that the locks are complete.")
    parser.add_argument("--root", type=Path, default=Path(__file__).parent.parent)
    findings, count = check(parser.parse_args().root)
    print("\n".join([*findings, count]))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
