"""Job files, the tables that they read and write, and a host that answers them."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from deltalake import DeltaTable

from forehearth import enrich
from forehearth.enrichment.run_record import Run
from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer, Upstream

SCHEMA = {"type": "object", "properties": {"length": {"type": "integer"}, "word": {"type": "string"}}}


def respond(seen: Seen) -> Answer:
    """The length and the first word of what was asked; a refusal for what has `bad` in it."""
    prompt = json.loads(seen.body)["messages"][-1]["content"]
    if "bad" in prompt:
        return Answer(status=400, body=b'{"error": {"code": "content_filter", "message": "filtered"}}')
    content = json.dumps({"length": len(prompt), "word": prompt.split()[0]})
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return Answer(body=json.dumps({"model": "m-2", "choices": [choice], "usage": usage}).encode())


def tickets(folder: Path, rows: int, bad: tuple[int, ...] = (), *, distinct: int | None = None) -> pa.Table:
    """A table of so many rows, and the same in `tickets.csv`."""
    texts = [f"{'bad' if n in bad else 'good'} {n % (distinct or rows)}" for n in range(rows)]
    table = pa.table({"id": list(range(rows)), "text": texts})
    pyarrow.csv.write_csv(table, folder / "tickets.csv")
    return table


def rows_of(ids: range) -> pa.Table:
    """A table of rows with these ids."""
    return pa.table({"id": list(ids), "text": [f"good {n}" for n in ids]})


def job(folder: Path, host: Upstream | None = None, **members: Any) -> Path:
    """A job file. JSON is YAML."""
    backend = {"provider": "openai_compatible", "base_url": f"{host.url}/v1"} if host is not None else None
    content = {
        "version": 1,
        "source": {"format": "csv", "path": "tickets.csv"},
        "prompt": "{text}",
        "schema": SCHEMA,
        "deployment": {"name": "chat"} | ({"backend": backend} if backend else {}),
        "sink": {"format": "delta", "path": "out"},
        "chunk_rows": 100,
    } | members
    path = folder / "job.yaml"
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
    return path


async def run(path: Path, **options: Any) -> Run:
    """Run a job in this loop."""
    file = enrich.load(path)
    return await enrich.carry_on(file, enrich.state_folder(file, None), **options)


def landed(folder: Path, name: str = "out") -> pa.Table:
    """What is in a Delta table, in the order of its ids."""
    return DeltaTable(str(folder / name)).to_pyarrow_table().sort_by("id")
