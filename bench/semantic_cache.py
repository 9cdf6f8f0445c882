"""`python -m bench.semantic_cache`: what the semantic cache finds, what it wrongly gives, and what a look-up costs.

Writes docs/benchmarks/semantic-cache.md with its figures and a chart, or with --out elsewhere. It needs the embedded
model all-MiniLM-L6-v2, which the server fetches where it is not there, and some minutes.
Exit status: 0 every aim is reached, 1 one is not, 2 usage.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import machine
from bench.semantic import lookup
from bench.semantic.chart import svg
from bench.semantic.pairs import THRESHOLDS, Count, Outcome, counted, outcomes
from bench.semantic.questions import ALL_KINDS, SAME, Group, read
from bench.semantic.report import CHART, markdown, reached
from bench.semantic.running import as_used, running
from forehearth.core.cache_settings import SemanticCacheSettings

_ROOT = Path(__file__).resolve().parent.parent
_DEFAULT = SemanticCacheSettings(embeddings="vectors").score_threshold


def measure(entries: int, lookups: int) -> dict[str, Any]:
    """One run."""
    groups = read()
    texts = [each.text for group in groups for each in (group.kept, *group.asked)]
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as server:
        _say("making vectors")
        vectors = dict(zip(texts, server.vectors(texts), strict=True))
        _say("asking the server")
        first, second = as_used(server, groups)
    found = outcomes(groups, vectors)
    _say(f"filling {entries} entries")
    cost = lookup.measure(groups, vectors, entries=entries, lookups=lookups)
    return {
        "taken": datetime.now(UTC).isoformat(),
        "commit": machine.commit(_ROOT),
        "machine": machine.describe(),
        "threshold": _DEFAULT,
        "questions": _questions(groups),
        "at_default": {name: _both(chosen, _DEFAULT) for name, chosen in _halves(found).items()},
        "by_closeness": {mark: _closeness(found, mark) for mark in SAME},
        "by_kind": {kind: _kind(found, kind) for kind in ALL_KINDS},
        "as_used": {"first": dataclasses.asdict(first), "second": dataclasses.asdict(second)},
        "curve": {str(at): _both(found, at) for at in THRESHOLDS},
        "cost": dataclasses.asdict(cost),
    }


def _questions(groups: Sequence[Group]) -> dict[str, Any]:
    traps = [each.kind for group in groups for each in group.asked if each.is_trap]
    return {
        "kept": len(groups),
        "paraphrases": sum(len(group.asked) for group in groups) - len(traps),
        "traps": len(traps),
        "kinds": traps,
    }


def _halves(found: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    return {
        "all": list(found),
        "tuned": [each for each in found if each.tuned],
        "held out": [each for each in found if not each.tuned],
    }


def _both(found: Sequence[Outcome], threshold: float) -> dict[str, dict[str, float]]:
    return {name: _shown(counted(found, threshold, guarded=name == "guarded")) for name in ("guarded", "plain")}


def _shown(count: Count) -> dict[str, float]:
    return dataclasses.asdict(count) | {"hit_rate": count.hit_rate, "wrong_share": count.wrong_share}


def _closeness(found: Sequence[Outcome], mark: str) -> tuple[int, int]:
    those = [each for each in found if each.question.kind == mark]
    return len(those), sum(each.guarded_right and each.guarded <= _DEFAULT for each in those)


def _kind(found: Sequence[Outcome], kind: str) -> tuple[int, int, int]:
    those = [each for each in found if each.question.kind == kind]
    return len(those), sum(each.plain <= _DEFAULT for each in those), sum(each.guarded <= _DEFAULT for each in those)


def _write(record: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    curves = {
        name: [Count(**_fields(each[name])) for each in record["curve"].values()] for name in ("guarded", "plain")
    }
    questions = record["questions"]
    caption = (
        f"{record['taken'][:10]}, commit {record['commit']}; {questions['paraphrases']} paraphrases, "
        f"{questions['traps']} look-alikes, all-MiniLM-L6-v2"
    )
    (folder / "semantic-cache.json").write_text(json.dumps(record, indent=1) + "\n")
    (folder / "semantic-cache.md").write_text(markdown(record))
    (folder / CHART).write_text(svg(curves, record["threshold"], caption))
    _say(f"written: {folder / 'semantic-cache.md'}")


def _fields(shown: dict[str, Any]) -> dict[str, Any]:
    return {each.name: shown[each.name] for each in dataclasses.fields(Count)}


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def main(words: Sequence[str] | None = None) -> int:
    """Run it; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.semantic_cache", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=100_000, help="entries of the look-up's partition")
    parser.add_argument("--lookups", type=int, default=500, help="look-ups that are timed")
    parser.add_argument("--out", type=Path, default=_ROOT / "docs" / "benchmarks", help="where the report goes")
    parser.add_argument("--render", type=Path, metavar="FILE", help="measure nothing: make the report of a record anew")
    options = parser.parse_args(words)
    record = json.loads(options.render.read_text()) if options.render else measure(options.entries, options.lookups)
    _write(record, options.out)
    return 0 if all(reached(record)) else 1


if __name__ == "__main__":
    sys.exit(main())
