"""A run written down: its figures, its page and its chart, side by side in a folder."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def write(
    found: Mapping[str, Any],
    folder: Path,
    name: str,
    *,
    page: Callable[[Mapping[str, Any]], str],
    chart: Callable[[Mapping[str, Any]], str],
) -> None:
    """Write them, and say where."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    (folder / f"{name}.md").write_text(page(found))
    (folder / f"{name}.svg").write_text(chart(found))
    say(f"written: {folder / f'{name}.md'}")


def say(words: str) -> None:
    """Tell who waits, beside what is printed for programs."""
    print(words, file=sys.stderr, flush=True)
