"""Plans: what is counted, what is paid for them, and how near they come to what a run then takes."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from forehearth import enrich
from forehearth.cli.enrich_plan_view import plan_as_json
from forehearth.cli.enrich_view import as_json, in_words
from forehearth.cli.main import run as command
from forehearth.core.money import UNIT
from forehearth.enrichment.budget import LimitReached
from forehearth.enrichment.plan import Plan
from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer, Upstream
from tests.integration.enrichment.jobs import job, respond, run, tickets


def counting(seen: Seen) -> Answer:
    """A host whose tokens follow from the length of what was asked."""
    said = respond(seen)
    if said.status != 200:
        return said
    body, size = json.loads(said.body), len(json.loads(seen.body)["messages"][-1]["content"])
    body["usage"] = {"prompt_tokens": 40 + size, "completion_tokens": 5 + size % 7}
    return Answer(body=json.dumps(body).encode())


@pytest.fixture
async def host() -> AsyncIterator[Upstream]:
    async with Upstream(respond=counting) as upstream:
        yield upstream


async def plan(path: Path, **options: Any) -> Plan:
    file = enrich.load(path)
    return await enrich.foresee(file, enrich.state_folder(file, None), **options)


async def test_a_plan_pays_for_its_sample_alone_and_the_run_does_not_pay_that_again(
    tmp_path: Path, host: Upstream
) -> None:
    tickets(tmp_path, 1_000, distinct=600)
    path = job(tmp_path, host, prices={"input": 1, "output": 2})
    found = await plan(path)
    assert (found.rows, found.landed, found.empty, found.prompts, found.known) == (1_000, 0, 0, 600, 20)
    assert (found.sampled, found.failed, found.requests, len(found.results)) == (20, 0, 580, 5)
    assert len(host.requests) == 20
    assert not (tmp_path / "out").exists()
    again = await plan(path)
    assert (again, len(host.requests)) == (found, 20)
    ended = await run(path)
    assert (len(host.requests), ended.spent.requests) == (600, 600)
    before = [json.loads(counting(each).body)["usage"] for each in host.requests[:20]]
    rest = ended.spent.prompt_tokens - sum(each["prompt_tokens"] for each in before)
    assert found.prompt_tokens.low <= rest <= found.prompt_tokens.high
    assert found.prompt_tokens.high < 1.2 * rest
    assert found.cost is not None
    assert 0 < found.cost.low < found.cost.high < UNIT
    over = await plan(path)
    assert (over.landed, over.requests, over.prompts) == (1_000, 0, 0)


async def test_nothing_is_asked_without_a_sample(tmp_path: Path, host: Upstream) -> None:
    (tmp_path / "tickets.csv").write_text("id,text\n1,one\n2,\n3,one\n")
    path = job(tmp_path, host, limits={"requests": 1, "tokens": 9, "usd": 0.001}, prices={"input": 1, "output": 1})
    found = await plan(path, sample=0)
    assert (found.rows, found.empty, found.prompts, found.requests, found.sampled) == (3, 1, 1, 1, 0)
    assert host.requests == []
    assert found.limits == ["tokens", "usd"]


async def test_what_has_landed_is_left_out(tmp_path: Path, host: Upstream) -> None:
    tickets(tmp_path, 250)
    stopped = await run(job(tmp_path, host, limits={"requests": 120}))
    found = await plan(job(tmp_path, host), sample=0)
    assert (found.landed, found.rows, found.prompts, found.known) == (100, 250, 150, 20)
    assert found.fingerprint == stopped.fingerprint


async def test_a_sample_counts_in_the_limits(tmp_path: Path, host: Upstream) -> None:
    tickets(tmp_path, 50)
    path = job(tmp_path, host, limits={"requests": 12})
    with pytest.raises(LimitReached):
        await plan(path)
    assert len(host.requests) == 12
    assert (await run(path)).status == "incomplete"
    assert len(host.requests) == 12


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tickets(tmp_path, 4)
    backend = {"provider": "scripted", "rules": [{"json": {"length": 1, "word": "a"}}]}
    path = job(tmp_path, deployment={"name": "m", "backend": backend}, prices={"input": 1, "output": 1})
    assert command(["enrich", "plan", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "4 that differ, of which 4 are answered already" in shown
    assert shown.count("good ") == 4
    assert command(["enrich", "plan", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["requests"], told["usd"], len(told["results"])) == (0, {"low": "0", "high": "0"}, 4)
    limited = job(tmp_path, deployment={"name": "n", "backend": backend}, limits={"tokens": 10})
    assert command(["enrich", "plan", str(limited)]) == 4
    assert "limits.tokens" in capsys.readouterr().err


async def test_what_it_costs_is_told_in_the_currency_of_the_prices(tmp_path: Path, host: Upstream) -> None:
    tickets(tmp_path, 3)
    path = job(tmp_path, host, prices={"input": 1, "output": 1, "currency": "EUR"})
    planned = await asyncio.to_thread(enrich.plan, path)
    assert (planned.currency, plan_as_json(planned)["cost"]) == ("EUR", {"low": "0", "high": "0"})
    found = await run(path)
    told = as_json(found)["spent"]
    assert f"{told['cost']} EUR" in in_words(found, 3, 1.0)
    assert (float(told["cost"]) > 0, "usd" in told) == (True, False)


async def test_private_columns_are_neither_in_plans_nor_in_reports(tmp_path: Path, host: Upstream) -> None:
    (tmp_path / "tickets.csv").write_text("id,text,email\n1,good,ada@example.com\n")
    path = job(tmp_path, host, private=["email", "text"])
    planned = await plan(path)
    assert [list(row)[:2] for row in planned.results] == [["id", "length"]]
    await run(path)
    file = enrich.load(path)
    _, page = await enrich.work.report(file, enrich.state_folder(file, None), None)
    shown = page.read_text()
    assert "<th>length</th>" in shown
    assert "ada@example.com" not in shown
    assert "<th>text</th>" not in shown
