"""What every contestant does besides asking: it reads the table, lands the answers, and says what that took.

Nothing but the standard library and pyarrow, as it is imported in the contestants' environments.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

QUESTION = "Which team is this ticket for, how urgent is it, and what is it about?\n\n{text}"
CONCURRENCY = 64
WARM_UP = 200
"""Rows that are enriched before the clock starts, so that what is imported and made once is not counted."""

Ask = Callable[[Sequence[str], str], list[dict[str, Any]]]
"""The answers to prompts, in their order, from the host at a base URL."""


def contest(ask: Ask, warm_up: int = WARM_UP) -> None:
    """Enrich the table that the command line names, and print what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("url")
    options = parser.parse_args()
    prompts = [QUESTION.format(text=each) for each in pa.parquet.read_table(options.table)["text"].to_pylist()]
    if warm_up:
        ask(prompts[:warm_up], options.url)
    began, wall = _cpu(), time.perf_counter()
    table = pa.parquet.read_table(options.table)
    answers = ask([QUESTION.format(text=each) for each in table["text"].to_pylist()], options.url)
    for name in ("team", "urgency", "summary"):
        table = table.append_column(name, pa.array([each[name] for each in answers]))
    pa.parquet.write_table(table, options.out)
    spent, took = _cpu() - began, time.perf_counter() - wall
    if table["urgency"].null_count or table.num_rows != len(prompts):
        raise SystemExit("some rows have no answer")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": len(prompts) / spent, "wall": len(prompts) / took, "peak": peak}))


def _cpu() -> float:
    """Processor time of this process and its ended children."""
    mine, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime
