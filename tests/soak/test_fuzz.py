"""Whatever strangers send to the parts that read it: nothing is raised but what is documented, guided by coverage.

The fuzzer, atheris, exists for x86_64 alone. A finding is an input, printed by the test that fails for it.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scripts.soak_report import TABLE
from tests.conftest import ROOT
from tests.soak.fuzz_targets import TARGETS, Target
from tests.soak.length import part

Record = Callable[[str, object], None]

SECONDS = part(60, least=5)
"""For each target."""
TOO_SLOW = 5
"""Seconds of one input that are a finding."""
LAST_WORDS = 3_000
"""Letters of a finding that are shown."""
HEXADECIMAL = "\\x{:02x}"
STATISTIC = re.compile(r"^stat::(\w+): +(\d+)$", re.MULTILINE)
COVERED = re.compile(r" cov: (\d+) ft: (\d+) corp: (\d+)/")


@dataclass(frozen=True, kw_only=True)
class Fuzzed:
    """What came of one target."""

    executions: int
    edges: int
    features: int
    corpus: int
    finding: str
    """Empty when nothing was found."""


def dictionary(target: Target) -> str:
    """The target's words in libFuzzer's form."""
    return "".join(f'"{"".join(map(HEXADECIMAL.format, word))}"\n' for word in target.words)


def fuzzed(name: str, folder: Path) -> Fuzzed:
    """Fuzz a target for its time, beginning with its seeds."""
    target = TARGETS[name]
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds()):
        (corpus / str(number)).write_bytes(seed)
    (folder / "words").write_text(dictionary(target))
    options = {
        "max_total_time": SECONDS,
        "max_len": target.longest,
        "timeout": TOO_SLOW,
        "dict": folder / "words",
        "artifact_prefix": f"{folder}/",
        "print_final_stats": 1,
    }
    command = [
        sys.executable,
        "-m",
        "tests.soak.fuzz",
        name,
        str(corpus),
        *(f"-{key}={options[key]}" for key in options),
    ]
    paths = os.pathsep.join(map(str, (ROOT, *filter(None, [os.environ.get("PYTHONPATH")]))))
    ended = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    statistics = dict(STATISTIC.findall(ended.stdout))
    edges, features, inputs = ([("0", "0", "0"), *COVERED.findall(ended.stdout)])[-1]
    return Fuzzed(
        executions=int(statistics.get("number_of_executed_units", 0)),
        edges=int(edges),
        features=int(features),
        corpus=int(inputs),
        finding=ended.stdout[-LAST_WORDS:] if ended.returncode else "",
    )


def test_nothing_is_raised_but_what_is_documented(tmp_path: Path, record_property: Record) -> None:
    installed = importlib.util.find_spec("atheris") is not None
    record_property("atheris", "installed" if installed else "not installed: nothing was run")
    names = list(TARGETS) if installed else []
    for name in names:
        (tmp_path / name).mkdir()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(names, pool.map(lambda name: fuzzed(name, tmp_path / name), names), strict=True))
    rows = [
        [name, SECONDS, each.executions, each.edges, each.features, each.corpus, int(bool(each.finding))]
        for name, each in found.items()
    ]
    head = ["target", "seconds", "executions", "edges", "features", "inputs kept", "findings"]
    record_property(f"{TABLE}targets", json.dumps([head, *rows]))
    assert not any(each.finding for each in found.values()), "\n\n".join(each.finding for each in found.values())
    assert all(each.executions > SECONDS for each in found.values())
