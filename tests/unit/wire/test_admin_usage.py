"""`/admin/usage` and `/admin/requests`: what is asked, of whose calls, and how it is shown."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from forehearth.admin.usage import PATIENCE, LedgerOffice
from forehearth.core.ledger import Detail, LedgerRecord
from forehearth.core.record import Attempt, Touched
from forehearth.stores.memory_ledger import MemoryLedger
from tests.unit.accounting.books import outcomes, record
from tests.unit.admin.offices import TestOffice
from tests.unit.identity.keyed import OTHER, RESOURCE
from tests.unit.wire.admin_door import AdminDoor

JANUARY, DAY = 1_798_761_600.0, 86_400.0
"""2027-01-01."""
COUNTS = "calls,prompt_tokens,cached_tokens,completion_tokens,reasoning_tokens,unpriced_calls,flagged_calls"


class Book:
    """A ledger behind a door."""

    def __init__(self, office: TestOffice) -> None:
        self.ledger = MemoryLedger()
        self.folds = 0
        self.on_sleep: list[LedgerRecord] = []
        self.slept: list[float] = []
        office.office = msgspec.structs.replace(
            office.office, ledger=LedgerOffice(self.ledger, self._fold, self._sleep)
        )
        self.door = AdminDoor(office)

    async def _fold(self) -> None:
        self.folds += 1

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.ledger.add(outcomes(*self.on_sleep))


@pytest.fixture
async def book() -> AsyncIterator[Book]:
    async with TestOffice() as office:
        yield Book(office)


def own(name: str, **others: object) -> LedgerRecord:
    return record(name, **{"resource": RESOURCE, "at": JANUARY} | others)


async def test_usage_by_deployment_is_what_is_shown_when_nothing_is_said(book: Book):
    await book.ledger.add(
        outcomes(
            own("a", amount=10**12, cached=3, reasoning=4, cache="miss"),
            own("b", amount=5 * 10**11, flag="cut", outcome="client_left"),
            own("c", amount=7, currency="EUR"),
            own("d", amount=None, currency=""),
            own("e", amount=0, currency="", prompt=0, completion=0, cache="hit"),
            own("f", deployment="small", amount=None, currency=""),
            own("g", resource=OTHER),
        )
    )
    answer = await book.door.ask("GET", "/admin/usage")
    assert answer.status == 200
    assert book.folds == 1
    assert answer.json == {
        "by": ["deployment"],
        "value": [
            {
                "group": {"deployment": "chat"},
                "calls": 5,
                "promptTokens": 48,
                "cachedTokens": 3,
                "completionTokens": 120,
                "reasoningTokens": 4,
                "amounts": {"EUR": "0.000000000007", "USD": "1.5"},
                "unpricedCalls": 1,
                "flaggedCalls": 1,
                "cacheHits": 1,
                "failedCalls": 1,
            },
            {
                "group": {"deployment": "small"},
                "calls": 1,
                "promptTokens": 12,
                "cachedTokens": 0,
                "completionTokens": 30,
                "reasoningTokens": 0,
                "amounts": {},
                "unpricedCalls": 1,
                "flaggedCalls": 0,
                "cacheHits": 0,
                "failedCalls": 0,
            },
        ],
    }


async def test_usage_of_a_time_of_a_key_and_of_all_that_can_be_named(book: Book):
    await book.ledger.add(
        outcomes(
            own("a"),
            own("b", at=JANUARY + DAY),
            own("c", at=JANUARY + DAY, caller_name="desk", caller_id="key_2"),
            own("d", at=JANUARY + DAY, project="sales", product="gold", deployment="small"),
            own("e", at=JANUARY + 2 * DAY),
        )
    )

    async def calls(query: str) -> list[tuple[str, ...]]:
        found = (await book.door.ask("GET", f"/admin/usage?{query}")).json["value"]
        return [(*each["group"].values(), each["calls"]) for each in found]

    span = "from=2027-01-02T00:00:00Z&to=2027-01-03T00:00:00%2B00:00"
    assert await calls(f"by=day&{span}") == [("2027-01-02", 3)]
    assert await calls(f"by=key,day&{span}&project=") == [("desk", "2027-01-02", 1), ("shop", "2027-01-02", 1)]
    assert await calls("by=key&key=key_2") == [("desk", 1)]
    assert await calls("by=project,product&product=gold") == [("sales", "gold", 1)]
    assert await calls("by=&deployment=chat") == [(4,)]


async def test_as_a_table_for_spreadsheets(book: Book):
    await book.ledger.add(
        outcomes(
            own("a", amount=10**12, caller_name="=cmd()"),
            own("b", amount=7, currency="EUR", caller_name="=cmd()"),
            own("c", amount=None, currency="", caller_name='a "b", c'),
            own("d", amount=0, currency="", prompt=0, completion=0, caller_name="idle"),
        )
    )
    answer = await book.door.ask("GET", "/admin/usage?by=key&format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.body.decode().split("\r\n") == [
        f"key,{COUNTS},amount,currency",
        "'=cmd(),2,24,0,60,0,0,0,0.000000000007,EUR",
        "'=cmd(),0,0,0,0,0,0,0,1,USD",
        '"a ""b"", c",1,12,0,30,0,1,0,unknown,',
        "idle,1,0,0,0,0,0,0,0,",
        "",
    ]


@pytest.mark.parametrize(
    ("query", "param", "words"),
    [
        ("by=deploymnt", "by", "did you mean 'deployment'?"),
        ("by=day,day", "by", "there twice"),
        ("from=yesterday", "from", "expected a time"),
        ("to=2027-01-01", "to", "expected a time"),
        ("format=xml", "format", "json or csv"),
        ("since=1", "since", "Unrecognized"),
        ("resource=nobody", "resource", "There is no resource"),
    ],
)
async def test_what_cannot_be_asked(book: Book, query: str, param: str, words: str):
    answer = await book.door.ask("GET", f"/admin/usage?{query}")
    assert answer.status == 400
    assert answer.json["error"]["target"] == param
    assert words in answer.json["error"]["message"]


@pytest.mark.parametrize("target", ["/admin/usage", "/admin/requests/a"])
async def test_where_no_calls_are_recorded_that_is_said(target: str):
    async with TestOffice() as office:
        answer = await AdminDoor(office).ask("GET", target)
    assert answer.status == 409
    assert "ledger: {enabled: false}" in answer.json["error"]["message"]


async def test_a_request_is_explained(book: Book):
    detail = Detail(
        estimated=40,
        attempts=(
            Attempt(backend="one", began=0.1234567891, seconds=0.25, outcome="backend_refused", status=429),
            Attempt(backend="two", began=0.5, seconds=0.25, outcome="ok", status=0),
        ),
        limits=(Touched(name="deployments.chat.limits[0].tokens_per_minute", reserved=540, left=60),),
        words=(("routing", "It spilled over."),),
    )
    await book.ledger.add(
        outcomes(
            own(
                "a", project="sales", product="gold", reserved=540, queued=0.1, first_byte=0.6, detail=detail, amount=25
            )
        )
    )
    answer = await book.door.ask("GET", "/admin/requests/a")
    assert answer.status == 200
    assert answer.json == {
        "id": "a",
        "time": "2027-01-01T00:00:00Z",
        "caller": {"kind": "key", "id": "key_1", "name": "shop", "product": "gold"},
        "project": "sales",
        "surface": "openai_v1",
        "operation": "chat_completions",
        "stream": False,
        "asked": "default",
        "deployment": "chat",
        "backend": "one",
        "model": "gpt-4o",
        "status": 200,
        "outcome": "ok",
        "cache": None,
        "tokens": {
            "estimated": 40,
            "reserved": 540,
            "prompt": 12,
            "cached": 0,
            "completion": 30,
            "reasoning": 0,
            "counted": False,
            "flag": None,
        },
        "cost": {"amount": "0.000000000025", "currency": "USD", "priceVersion": "test"},
        "seconds": {"queued": 0.1, "firstByte": 0.6, "total": 0.5},
        "attempts": 1,
        "tried": [
            {"backend": "one", "began": 0.123457, "seconds": 0.25, "outcome": "backend_refused", "status": 429},
            {"backend": "two", "began": 0.5, "seconds": 0.25, "outcome": "ok", "status": None},
        ],
        "limits": [{"name": "deployments.chat.limits[0].tokens_per_minute", "reserved": 540, "left": 60}],
        "words": [{"policy": "routing", "word": "It spilled over."}],
    }


async def test_of_an_old_request_the_words_are_gone(book: Book):
    await book.ledger.add(
        outcomes(own("a", detail=None, amount=None, currency="", price_version="", status=0, flag="crashed"))
    )
    found = (await book.door.ask("GET", "/admin/requests/a")).json
    assert (found["tried"], found["limits"], found["words"], found["tokens"]["estimated"]) == (None, None, None, None)
    assert found["cost"] == {"amount": None, "currency": None, "priceVersion": None}
    assert (found["status"], found["tokens"]["flag"]) == (None, "crashed")


async def test_what_another_worker_wrote_just_now_is_waited_for(book: Book):
    book.on_sleep = [own("a")]
    assert (await book.door.ask("GET", "/admin/requests/a")).status == 200
    assert len(book.slept) == 1


async def test_a_request_that_nobody_made_is_not_waited_for_long(book: Book):
    await book.ledger.add(outcomes(record("a", resource=OTHER)))
    answer = await book.door.ask("GET", "/admin/requests/a")
    assert (answer.status, answer.code) == (404, "NotFound")
    assert "There is no record of a request 'a'" in answer.json["error"]["message"]
    assert sum(book.slept) == PATIENCE


async def test_only_get_is_served(book: Book):
    for target in ("/admin/usage", "/admin/requests/a"):
        answer = await book.door.ask("DELETE", target)
        assert (answer.status, answer.headers["allow"]) == (405, "GET")
