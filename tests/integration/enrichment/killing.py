"""Runs that are killed with `kill -9` at moments drawn by chance, and what must hold of their tables afterwards."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from deltalake import DeltaTable

from forehearth import enrich
from forehearth.core.kafka_settings import KafkaSource
from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer, Upstream
from tests.forehearth_server import PROGRAM
from tests.integration.enrichment.jobs import job, respond, tickets

CHUNK = 50
CONCURRENCY = 8
PATIENCE = 120.0


class Figures(msgspec.Struct, kw_only=True):
    """What came of it. `asked` are calls that were answered, `prompts` the different ones among them."""

    rows: int
    out: str
    options: dict[str, str] | None = None
    kills: int = 0
    landed: Counter[int] = msgspec.field(default_factory=Counter)
    aside: Counter[int] = msgspec.field(default_factory=Counter)
    asked: int = 0
    prompts: int = 0
    commits: int = 0

    @property
    def repaid(self) -> float:
        """The share of prompts that were paid again."""
        return (self.asked - self.prompts) / self.prompts


def wavering(dice: random.Random) -> Callable[[Seen], Answer]:
    """A host that refuses every tenth row of a kind by chance, another time perhaps not, and is quick."""

    def answer(seen: Seen) -> Answer:
        said = respond(seen)
        number = int(msgspec.json.decode(seen.body)["messages"][-1]["content"].split()[-1])
        if number % 10 == 0 and dice.random() < 0.5:
            return Answer(status=400, body=b'{"error": {"code": "odd", "message": "not now"}}')
        return Answer(body=said.body, delay=0.002 * dice.random())

    return answer


async def begun(path: Path, *arguments: str) -> asyncio.subprocess.Process:
    """A run as a process of its own; of a topic, of what is there."""
    source = enrich.load(path).job.source
    deed = ("follow", str(path), "--once") if isinstance(source, KafkaSource) else ("run", str(path))
    return await asyncio.create_subprocess_exec(
        str(PROGRAM), "enrich", *deed, *arguments,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


async def killed(folder: Path, rows: int, kills: int, seed: int, **members: Any) -> Figures:
    """Run a job to its end through so many deaths."""
    dice = random.Random(seed)
    figures = _figures(folder, rows, members)
    async with Upstream(respond=wavering(dice)) as host:
        path = job(folder, host, chunk_rows=CHUNK, concurrency=CONCURRENCY, retries=0, **members)
        for kill in range(kills):
            # Each death comes at a place of its own in the work, so that all of it is done when the last one has come.
            until = rows * (kill + dice.random()) / kills
            process = await begun(path)
            await _answered(host, until, process)
            await asyncio.sleep(dice.random() * 0.1)
            if process.returncode is None:
                process.kill()
                figures.kills += 1
            await process.wait()
        last = await begun(path)
        assert await asyncio.wait_for(last.wait(), PATIENCE) == 0
        _paid(figures, host)
    _look(figures)
    return figures


async def at_once(folder: Path, rows: int, seed: int, **members: Any) -> Figures:
    """Two runs of one job at the same time, each with a state of its own, so that neither knows of the other."""
    figures = _figures(folder, rows, members)
    async with Upstream(respond=wavering(random.Random(seed))) as host:
        path = job(folder, host, chunk_rows=CHUNK, concurrency=CONCURRENCY, **members)
        both = [await begun(path, "--state", str(folder / state)) for state in ("one", "other")]
        ends = await asyncio.gather(*(asyncio.wait_for(each.wait(), PATIENCE) for each in both))
        assert ends == [0, 0]
        _paid(figures, host)
    _look(figures)
    return figures


def require_once(figures: Figures) -> None:
    """Each row is in one of the two tables, once."""
    together = figures.landed + figures.aside
    assert sorted(together) == list(range(figures.rows))
    assert {number: count for number, count in together.items() if count != 1} == {}
    assert figures.commits >= -(-figures.rows // CHUNK)


def _figures(folder: Path, rows: int, members: dict[str, Any]) -> Figures:
    """Figures of a job with these members, whose source is there unless they name one."""
    if "source" not in members:
        tickets(folder, rows)
    sink = members.get("sink", {"path": str(folder / "out")})
    secrets = sink.get("storage_secrets", {})
    options = sink.get("storage_options", {}) | {
        name: Path(value.removeprefix("file:")).read_text() for name, value in secrets.items()
    }
    return Figures(rows=rows, out=sink["path"], options=options or None)


async def _answered(host: Upstream, number: float, process: asyncio.subprocess.Process) -> None:
    """Return when the host was asked so often, or the run has ended."""
    asked = asyncio.create_task(host.until(lambda: len(host.requests) >= number, PATIENCE))
    ended = asyncio.create_task(process.wait())
    _, others = await asyncio.wait([asked, ended], return_when=asyncio.FIRST_COMPLETED)
    for other in others:
        other.cancel()


def _paid(figures: Figures, host: Upstream) -> None:
    """Count what was answered; refusals cost nothing."""
    asked = Counter(msgspec.json.decode(seen.body)["messages"][-1]["content"] for seen in host.requests)
    steady = {text: count for text, count in asked.items() if int(text.split()[-1]) % 10}
    figures.asked, figures.prompts = sum(steady.values()), len(steady)


def _look(figures: Figures) -> None:
    figures.landed = Counter(_ids(figures.out, figures.options))
    figures.aside = Counter(_ids(f"{figures.out}__quarantine", figures.options))
    commits = DeltaTable(figures.out, storage_options=figures.options).history()
    chunks = [each["forehearth.chunk"] for each in commits if "forehearth.chunk" in each]
    assert len(chunks) == len(set(chunks))
    figures.commits = len(chunks)


def _ids(table: str, options: dict[str, str] | None) -> Sequence[int]:
    if not DeltaTable.is_deltatable(table, options):
        return []
    found = DeltaTable(table, storage_options=options).to_pyarrow_table(columns=["id"])
    ids: list[int] = found.column("id").to_pylist()
    return ids
