"""`forehearth usage` and `forehearth explain` in a data directory that no server holds."""

import asyncio
import json
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from forehearth.accounting.journal import Journal
from forehearth.cli.main import run
from forehearth.cli.usage_table import bar, rounded
from forehearth.core.ledger import Detail, LedgerRecord
from forehearth.core.record import Attempt, Touched
from forehearth.server.data_directory import open_data_directory
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.ledger import SqliteLedger
from tests.unit.accounting.books import encoded, intent, outcomes, record

CONFIG = """
version: 1
server: {resource: here}
backends:
  script: {provider: scripted}
deployments:
  chat: {backends: [{backend: script}]}
"""
NOW = time.time()
DAY = 86_400.0
Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("FOREHEARTH_URL", "FOREHEARTH_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "forehearth.yaml").write_text(CONFIG)
    open_data_directory(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def said(data: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    capsys.readouterr()
    options = ("--data-dir", str(data), "--config", str(data.parent / "forehearth.yaml"))

    def run_it(*arguments: str) -> tuple[int, str, str]:
        status = run([*arguments, *options])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run_it


def keep(data: Path, *records: LedgerRecord) -> None:
    async def add() -> None:
        database = open_database(data / "ledger.db", schema="ledger")
        await SqliteLedger(database).add(outcomes(*records))
        await database.aclose()

    asyncio.run(add())


def own(name: str, **others: Any) -> LedgerRecord:
    return record(name, **{"at": NOW - 60} | others)


def test_nothing_was_used_yet(said: Said):
    assert said("usage") == (0, "", "no calls in that time\n")


def test_a_table_with_bars(data: Path, said: Said):
    keep(
        data,
        own("a", prompt=900, completion=100, amount=1_234_500_000_000),
        own("b", deployment="small", prompt=200, completion=50, cached=7, amount=None, currency=""),
        own("c", deployment="tiny", prompt=0, completion=0, amount=0, currency="", flag="crashed"),
        own("d", deployment="small", prompt=0, completion=1, amount=456_000, currency="EUR"),
    )
    status, out, err = said("usage")
    assert status == 0
    money = ("AMOUNT", "1.23 USD", "0.00000046 EUR +?", "0", "1.23 USD + 0.00000046 EUR +?")
    head, chat, small, tiny, whole = (each.rjust(len(money[-1])) for each in money)
    assert out.splitlines() == [
        f"DEPLOYMENT  CALLS  PROMPT  CACHED  OUTPUT  {head}",
        f"chat            1     900       0     100  {chat}  " + "\u2588" * 24,
        f"small           2     200       7      51  {small}  " + "\u2588" * 6,
        f"tiny            1       0       0       0  {tiny}",
        f"                4   1,100       7     151  {whole}",
    ]
    assert err == "forehearth: 1 of the calls are flagged: their usage is a bound, or a part\n"


def test_the_last_thirty_days_unless_said_otherwise(data: Path, said: Said):
    keep(data, own("a"), own("b", at=NOW - 40 * DAY), own("c", at=NOW - 10 * DAY))

    def calls(*arguments: str) -> int:
        return sum(each["calls"] for each in json.loads(said("usage", "--json", *arguments)[1])["value"])

    assert calls() == 2
    assert calls("--from", "60d") == 3
    assert calls("--from", "60d", "--to", "7d") == 2
    assert calls("--only-key", "desk") == 0
    assert calls("--only-key", "shop", "--only-deployment", "chat", "--only-project", "") == 2
    assert calls("--only-product", "gold") == 0
    assert calls("--only-product", "") == 2


def test_as_csv(data: Path, said: Said):
    unknown = own("c", deployment="small", amount=None, currency="", caller_name="=cmd()")
    keep(data, own("a", amount=10**12), own("b", amount=5, currency="EUR"), unknown)
    lines = said("usage", "--csv", "--by", "deployment,key")[1].splitlines()
    counts = "calls,prompt_tokens,cached_tokens,completion_tokens,reasoning_tokens,unpriced_calls,flagged_calls"
    assert lines == [
        f"deployment,key,{counts},amount,currency",
        "chat,shop,2,24,0,60,0,0,0,0.000000000005,EUR",
        "chat,shop,0,0,0,0,0,0,0,1,USD",
        "small,'=cmd(),1,12,0,30,0,1,0,unknown,",
    ]


def test_by_other_prices(data: Path, said: Said, tmp_path: Path):
    keep(
        data,
        own("a", prompt=1_000, completion=10, cached=400, amount=10**12),
        own("b", prompt=1_000, completion=0, deployment="small", amount=None, currency=""),
        own("c", prompt=0, completion=0, deployment="small", amount=0, currency="", caller_name="desk"),
    )
    (tmp_path / "prices.yaml").write_text("chat: {input: 2.50, cached_input: 0.25, output: 10, currency: EUR}\n")
    wanted = ("usage", "recompute", "--prices", str(tmp_path / "prices.yaml"))
    assert said(*wanted)[1].splitlines() == [
        "DEPLOYMENT  CALLS  PROMPT  CACHED  OUTPUT       AMOUNT     RECOMPUTED",
        "chat            1   1,000     400      10     1.00 USD     0.0017 EUR",
        "small           2   1,000       0       0      unknown        unknown",
        "                3   2,000     400      10  1.00 USD +?  0.0017 EUR +?",
    ]
    found = json.loads(said(*wanted, "--by", "key", "--json")[1])["value"]
    assert [(each["group"]["key"], each["recomputed"]) for each in found] == [
        ("desk", {"amounts": {}, "unpricedCalls": 0}),
        ("shop", {"amounts": {"EUR": "0.0017"}, "unpricedCalls": 1}),
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("chat: {inputs: 1}", "did you mean 'input'?"),
        ("chat: {input: 1e3}", "such as 2.50"),
        ("chat: 5", "found the number 5"),
        ("", "the file is empty"),
    ],
)
def test_prices_that_cannot_be_read(said: Said, tmp_path: Path, content: str, words: str):
    (tmp_path / "prices.yaml").write_text(content)
    status, _, err = said("usage", "recompute", "--prices", str(tmp_path / "prices.yaml"))
    assert status == 3
    assert words in err


def test_what_a_dead_server_left_is_shown(data: Path, said: Said):
    """Nobody has folded it yet, and nobody need start a server for it."""
    journal = Journal.create(data / "journal", "0-1")
    journal.end("a", encoded(own("a")))
    journal.begin("b", encoded(intent("b", at=NOW - 60)))
    journal.close()
    status, out, _ = said("usage", "--json", "--by", "outcome")
    assert status == 0
    found = {each["group"]["outcome"]: each["promptTokens"] for each in json.loads(out)["value"]}
    assert found == {"ok": 12, "crashed": 300}
    assert list((data / "journal").iterdir()) == []


def test_a_request_is_explained(data: Path, said: Said):
    detail = Detail(
        estimated=400,
        attempts=(
            Attempt(backend="west", began=0.2, seconds=0.1, outcome="backend_refused", status=429),
            Attempt(backend="north", began=0.3, seconds=0.2, outcome="ok", status=200),
        ),
        limits=(Touched(name="deployments.chat.limits[0].tokens_per_minute", reserved=1_400, left=600),),
        words=(
            ("routing", "It spilled over to north: status 429 before."),
            ("cache", "The answer was not kept."),
            ("responses", "It is the response resp_1, kept."),
        ),
    )
    keep(
        data,
        own(
            "a",
            at=1_798_761_600.0,
            stream=True,
            project="sales",
            product="gold",
            backend="north",
            reserved=1_400,
            cached=5,
            reasoning=20,
            queued=0.2,
            first_byte=0.5,
            seconds=1.0,
            cache="miss",
            detail=detail,
        ),
    )
    status, out, err = said("explain", "a")
    assert (status, err) == (0, "")
    used = "prompt 12 (5 from the host's cache), answer 30 (20 of reasoning)"
    assert out.splitlines() == [
        "request  a, 2027-01-01 00:00:00Z",
        "caller   key shop, product gold, project sales",
        "asked    chat_completions, streamed of default, by openai_v1",
        "served   deployment chat, north, model gpt-4o",
        "outcome  ok, status 200, 1.000 s",
        "cache    miss",
        f"tokens   reserved 1,400 (prompt at most 400); used: {used}",
        "cost     0.00033 USD by test",
        "",
        "waited  │" + "█" * 10 + " " * 38 + "│    0.200 s",
        "west    │" + " " * 9 + "█" * 5 + " " * 34 + "│    0.100 s  backend_refused 429",
        "north   │" + " " * 14 + "█" * 10 + " " * 24 + "│    0.200 s  ok 200",
        "stream  │" + " " * 24 + "█" * 24 + "│    0.500 s  first byte after 0.500 s",
        "",
        "limit    deployments.chat.limits[0].tokens_per_minute: held 1,400, 600 left",
        "routing  It spilled over to north: status 429 before.",
        "cache    The answer was not kept.",
        "responses It is the response resp_1, kept.",
    ]


def test_a_crashed_one_is_explained(data: Path, said: Said):
    keep(data, own("a", flag="crashed", outcome="crashed", status=0, backend="", model="", detail=None, amount=None))
    out = said("explain", "a")[1]
    assert "outcome  crashed, no status, 0.500 s" in out
    assert "served   deployment chat, no backend\n" in out
    assert "cost     unknown: there is no price for this model" in out
    assert "flagged  the process ended before the call did: what was reserved is booked" in out
    assert "attempts and words are kept no more" in out


def test_explained_for_scripts(data: Path, said: Said):
    keep(data, own("a"))
    assert json.loads(said("explain", "a", "--json")[1])["outcome"] == "ok"


def test_a_request_that_nobody_made(said: Said):
    status, out, err = said("explain", "nothing")
    assert (status, out) == (1, "")
    assert "There is no record of a request 'nothing'" in err


@pytest.mark.parametrize(
    "arguments", [["usage", "--from", "soon"], ["usage", "--chart", "pie"], ["usage", "recompute"], ["explain"]]
)
def test_wrong_usage(said: Said, arguments: list[str]):
    status, out, err = said(*arguments)
    assert (status, out) == (2, "")
    assert "Traceback" not in err


def test_a_way_that_there_is_not(said: Said):
    status, _, err = said("usage", "--by", "weekday")
    assert status == 1
    assert "did you mean 'day'?" in err or "there are" in err


def test_bars_are_to_scale():
    assert [bar(Decimal(each), Decimal(8), width=2) for each in (0, 1, 4, 5, 8)] == ["", "▎", "█", "█▎", "██"]
    assert bar(Decimal(1), Decimal(10**9)) == "▏"
    assert bar(Decimal(0), Decimal(0)) == ""


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("0", "0.00"), ("1234.567", "1,234.57"), ("0.1", "0.10"), ("0.0456", "0.046"), ("0.00000033", "0.00000033")],
)
def test_amounts_are_shown_to_their_first_figures(amount: str, shown: str):
    assert rounded(Decimal(amount)) == shown
