"""Messages of a topic of Kafka are enriched as they come, each once: the sink says where a topic was read to."""

import asyncio
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pyarrow.dataset
import pytest

from forehearth import enrich
from forehearth.core.errors import Misconfigured
from forehearth.enrich.following import Follower
from forehearth.enrichment.run_record import Run
from forehearth.testing.upstream import Upstream
from tests.forehearth_server import PROGRAM
from tests.integration.enrichment.jobs import job, landed, respond, run
from tests.integration.enrichment.killing import CONCURRENCY, at_once, killed, require_once
from tests.integration.enrichment.topics import Brokers, brokers


@pytest.fixture
def topic() -> Iterator[Brokers]:
    with brokers() as found:
        yield found


@pytest.fixture
async def host() -> AsyncIterator[Upstream]:
    async with Upstream(respond=respond) as upstream:
        yield upstream


async def once(path: Path, state: Path | None = None) -> tuple[list[Run], Run | None]:
    """What came of the messages that are there."""
    runs: list[Run] = []
    file = enrich.load(path)
    follower = Follower(file, enrich.state_folder(file, state), landed=lambda _, found: runs.append(found))
    return runs, await follower.follow(None)


async def test_each_message_lands_once_and_the_sink_knows_where_it_is(
    tmp_path: Path, host: Upstream, topic: Brokers
) -> None:
    topic.put(range(150))
    path = job(tmp_path, host, source=topic.source())
    (first,), ended = await once(path)
    assert (first.done, first.failed, first.chunks, ended) == (150, 0, 2, None)
    found = landed(tmp_path)
    assert found.column("id").to_pylist() == list(range(150))
    assert set(found.schema.names) >= {"_partition", "_offset", "_key", "_timestamp"}
    assert "_value" not in found.schema.names
    assert found.column("_key")[7].as_py() == "7"
    topic.put(range(150, 160))
    (second,), _ = await once(path, tmp_path / "another-state")
    assert second.done == 160
    assert landed(tmp_path).column("id").to_pylist() == list(range(160))
    assert len(host.requests) == 160


async def test_what_cannot_be_read_is_in_the_quarantine_as_it_was(
    tmp_path: Path, host: Upstream, topic: Brokers
) -> None:
    topic.put(range(8))
    wrong = [b"no JSON", b'{"id": "eleven", "text": "x"}', b"\xff\xfe", b"[1]"]
    for value in wrong:
        topic.put_raw(value)
    topic.put_raw(None, key=b"7")
    topic.put_raw(b'{"id": 9, "text": "bad 9", "more": 1}', partition=1)
    path = job(tmp_path, host, source=topic.source())
    (found,), _ = await once(path)
    assert (found.done, found.failed, found.errors) == (13, 5, {"malformed": 4, "content_filter": 1})
    assert landed(tmp_path).column("id").to_pylist() == list(range(8))
    aside = landed(tmp_path, "out__quarantine").sort_by("_offset").to_pylist()
    malformed = [each for each in aside if each["_error_code"] == "malformed"]
    assert [each["_value"] for each in malformed] == ["no JSON", wrong[1].decode(), r"\xff\xfe", "[1]"]
    assert [each["_partition"] for each in malformed] == [0] * 4
    assert malformed[1]["_error_message"].endswith("Expected 'int | null', got 'str' - at '$.id'")
    # Those that a model was asked about are asked again; what cannot be read stays.
    retried = await run(path, deed="retry")
    assert (retried.status, retried.done) == ("completed", 1)
    assert landed(tmp_path, "out__quarantine").num_rows == 5
    assert landed(tmp_path).num_rows == 8


async def test_from_the_next_message_on(tmp_path: Path, host: Upstream, topic: Brokers) -> None:
    topic.put(range(20))
    path = job(tmp_path, host, source=topic.source(start="latest"))
    assert (await once(path))[0][0].done == 0
    topic.put(range(20, 30))
    assert (await once(path, tmp_path / "another-state"))[0][0].done == 10
    assert landed(tmp_path).column("id").to_pylist() == list(range(20, 30))


async def test_a_folder_of_parquet_knows_it_too(tmp_path: Path, host: Upstream, topic: Brokers) -> None:
    topic.put(range(150))
    path = job(tmp_path, host, source=topic.source(), sink={"format": "parquet", "path": "out"})
    await once(path)
    topic.put(range(150, 160))
    await once(path, tmp_path / "another-state")
    ids = pyarrow.dataset.dataset(tmp_path / "out").to_table(columns=["id"]).column("id").to_pylist()
    assert sorted(ids) == list(range(160))


async def test_it_follows_until_it_is_stopped(tmp_path: Path, host: Upstream, topic: Brokers) -> None:
    topic.put(range(50))
    path = job(tmp_path, host, source=topic.source())
    command = (str(PROGRAM), "enrich", "follow", str(path), "--every", "0.2")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    await host.until(lambda: len(host.requests) == 50, 60)
    topic.put(range(50, 60))
    await host.until(lambda: len(host.requests) == 60, 60)
    async with asyncio.timeout(60):
        while landed(tmp_path).num_rows < 60:  # noqa: ASYNC110 - another process lands them
            await asyncio.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 60) == 0
    assert Counter(landed(tmp_path).column("id").to_pylist()) == Counter(range(60))


async def test_messages_land_once_through_deaths(tmp_path: Path, topic: Brokers) -> None:
    topic.put(range(200))
    figures = await killed(tmp_path, rows=200, kills=1, seed=5, source=topic.source())
    require_once(figures)
    assert figures.kills == 1
    assert figures.asked - figures.prompts <= figures.kills * (CONCURRENCY + 2 * 32)


@pytest.mark.parametrize("kind", ["delta", "parquet"])
async def test_what_died_between_the_two_tables_is_made_good(
    tmp_path: Path, host: Upstream, topic: Brokers, kind: str
) -> None:
    topic.put(range(8))
    topic.put_raw(b'{"id": 8, "text": "bad 8"}', partition=2)
    topic.put_raw(b"no JSON", partition=1)
    path = job(tmp_path, host, source=topic.source(), sink={"format": kind, "path": "out"})
    await once(path)
    # As if it had died after the chunk's commit and before its rows were put aside.
    shutil.rmtree(tmp_path / "out__quarantine")
    topic.put(range(9, 12))
    await once(path, tmp_path / "another-state")
    where = tmp_path / "out__quarantine"
    aside = pyarrow.dataset.dataset(where, exclude_invalid_files=True).to_table().sort_by("_partition").to_pylist()
    assert [(each["id"], each["_value"]) for each in aside] == [(None, "no JSON"), (8, None)]
    assert len(host.requests) == 12


async def test_two_at_once_land_each_message_once(tmp_path: Path, topic: Brokers) -> None:
    topic.put(range(200))
    require_once(await at_once(tmp_path, rows=200, seed=6, source=topic.source()))


async def test_what_cannot_be_followed_is_told(tmp_path: Path, host: Upstream, topic: Brokers) -> None:
    topic.put(range(10))
    with pytest.raises(Misconfigured, match="a topic has no end: 'forehearth enrich follow'"):
        await run(job(tmp_path, host, source=topic.source()))
    secret = {"user": "someone", "password": "${KAFKA_PASSWORD}"}
    away = job(tmp_path, host, source=topic.source(brokers=["127.0.0.1:1"], tls=True, sasl=secret))
    file = enrich.load(away, {"KAFKA_PASSWORD": "of-some-length"})
    with pytest.raises(
        Misconfigured, match=r"topic tickets at 127\.0\.0\.1:1 cannot be .*Connection refused"
    ) as refused:
        await Follower(file, enrich.state_folder(file, None)).follow(None)
    assert "of-some-length" not in str(refused.value)
