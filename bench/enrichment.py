"""`python -m bench.enrichment`: rows that are enriched in a second of processor time, and the memory that they take.

Each row has a prompt of its own of some 200 bytes, and an answer of a schema of three members. Three ways are measured,
each in a process of its own, so that its memory is its own: the core alone (batches in, batches out); the core with
each chunk added to a Delta table, and nothing that would land it once if it were begun again; and a whole job (Parquet
in, Delta out, answers kept, each chunk committed once). The host is the mock of the other benchmarks.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pyarrow.parquet
import uvloop

from bench import payloads
from bench.alone import alone
from bench.pipelines.measured import CONCURRENCY, QUESTION
from bench.processes import Cores
from bench.upstream import upstream
from forehearth import enrich
from forehearth.core.clock import SystemClock
from forehearth.core.enrichment_settings import JobLimits
from forehearth.enrichment.answer_schema import AnswerSchema
from forehearth.enrichment.answers import NoCache
from forehearth.enrichment.asking import Asker, Host
from forehearth.enrichment.budget import Budget, Spent
from forehearth.enrichment.enricher import Enricher
from forehearth.enrichment.gate import Gate
from forehearth.enrichment.spec import Spec
from forehearth.enrichment.template import Template
from forehearth.providers.openai_compatible import OpenAICompatible, OpenAICompatibleSettings
from forehearth.transport.client import HttpClient

WORK = Path(__file__).parent / ".work"
AIM = 5_000
MEGABYTE = 1024 * 1024
CHUNK = 1_000
SCHEMA = {
    "type": "object",
    "properties": {
        "team": {"enum": ["billing", "technical"]},
        "urgency": {"type": "integer", "minimum": 1, "maximum": 5},
        "summary": {"type": "string"},
    },
}
ANSWER = {"team": "billing", "urgency": 4, "summary": "A customer was charged twice and wants the money back."}
_TEXT = "I was charged twice for order {} and nobody answers the telephone. Please refund me, or tell me whom to ask."


def batches(rows: int) -> Iterator[Any]:
    """So many tickets, no two of them alike."""
    for start in range(0, rows, CHUNK):
        ids = range(start, min(start + CHUNK, rows))
        yield pa.RecordBatch.from_pydict({"id": list(ids), "text": [_TEXT.format(n) for n in ids]})


async def core(rows: int, url: str, land: Callable[[Any], None] = lambda _: None) -> None:
    """The core alone. `land` is given what comes out."""
    spec = Spec(template=Template(QUESTION), schema=AnswerSchema(SCHEMA), model="bench", max_output_tokens=256)
    clock = SystemClock()
    async with HttpClient() as client:
        provider = OpenAICompatible("bench", OpenAICompatibleSettings(base_url=url))
        budget = Budget(JobLimits(), Spent(), None, clock.monotonic)
        gate = Gate(CONCURRENCY, clock.monotonic)
        asker = Asker(spec, Host(provider=provider, sender=client), gate=gate, budget=budget, clock=clock)
        enricher = Enricher(spec, asker, NoCache())
        for batch in batches(rows):
            found = await enricher.enrich(batch)
            if found.column("urgency").null_count:
                raise SystemExit("some rows have no answer")
            land(found)


async def plain(rows: int, url: str) -> None:
    """The core between two tables, as a loop of one's own would have it: what is begun again lands again."""
    with tempfile.TemporaryDirectory(dir=WORK) as name:
        out = Path(name) / "out"
        await core(rows, url, lambda batch: deltalake.write_deltalake(out, pa.table(batch), mode="append"))


async def job(rows: int, url: str) -> None:
    """A whole job."""
    with tempfile.TemporaryDirectory(dir=WORK) as name:
        folder = Path(name)
        with pyarrow.parquet.ParquetWriter(folder / "in.parquet", next(batches(1)).schema) as writer:
            for batch in batches(rows):
                writer.write_batch(batch)
        content = {
            "version": 1,
            "source": {"format": "parquet", "path": "in.parquet"},
            "prompt": QUESTION,
            "schema": SCHEMA,
            "deployment": {
                "name": "bench",
                "max_output_tokens": 256,
                "backend": {"provider": "openai_compatible", "base_url": url},
            },
            "sink": {"format": "delta", "path": "out"},
            "concurrency": CONCURRENCY,
        }
        (folder / "job.yaml").write_text(json.dumps(content))
        file = enrich.load(folder / "job.yaml")
        run = await enrich.carry_on(file, enrich.state_folder(file, None))
        if (run.status, run.done, run.failed) != ("completed", rows, 0):
            raise SystemExit(f"the run is {run.status}: {run.reason}")


WAYS = {"core": core, "plain": plain, "job": job}


def one(way: str, rows: int, url: str) -> None:
    """Measure one way in this process, and print what it took."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(WAYS[way](CHUNK, url))  # what is imported and made once is not counted
        began, wall = time.process_time(), time.perf_counter()
        runner.run(WAYS[way](rows, url))
        spent, took = time.process_time() - began, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"cpu": rows / spent, "wall": rows / took, "peak": peak / MEGABYTE}))


def measured(way: str, rows: int, url: str, core: int) -> dict[str, float]:
    """The same, in a process of its own, on a core."""
    command = [sys.executable, "-m", "bench.enrichment", "--way", way, "--rows", str(rows), "--url", url]
    done = subprocess.run(["taskset", "-c", str(core), *command], stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> int:
    """Measure and print; the exit status says whether the aim is reached."""
    parser = argparse.ArgumentParser(prog="python -m bench.enrichment", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000], help="how many; several to compare memory")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.url:
        one(options.way, options.rows[0], options.url)
        return 0
    found, cores = {}, Cores.choose()
    with alone(WORK), upstream(WORK, core=cores.load, reply=payloads.call_response(json.dumps(ANSWER))) as host:
        for rows in options.rows:
            for way in WAYS:
                found[f"{way}, {rows:,} rows"] = measured(way, rows, host.base_url, cores.gateway)
    if options.json:
        print(json.dumps(found))
    else:
        for name, each in found.items():
            print(
                f"{name:<24} {each['cpu']:8,.0f} rows per CPU-second   {each['wall']:8,.0f} per second"
                f"   {each['peak']:6,.0f} MB at the most"
            )
        print(f"aim: {AIM:,} rows per CPU-second")
    return 0 if min(each["cpu"] for each in found.values()) >= AIM else 1


if __name__ == "__main__":
    sys.exit(main())
