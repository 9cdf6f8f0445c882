"""The ledger's stores under one suite: what is kept once, what it sums up to, what is forgotten."""

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import get_args

import apsw
import pytest

from forehearth.core.document import StoreFailed
from forehearth.core.ledger import Detail, Grouping, Held, LedgerRecord, Span, Tried
from forehearth.stores.memory_ledger import MemoryLedger
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.ledger import SqliteLedger
from tests.unit.accounting.books import record

Ledger = MemoryLedger | SqliteLedger
HERE = Span(resource="here")
DAY = 86_400.0


@pytest.fixture(params=["memory", "sqlite"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    database = open_database(tmp_path / "ledger.db", schema="ledger", flushed=True)
    yield SqliteLedger(database)
    await database.aclose()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    database = open_database(tmp_path / "ledger.db", schema="ledger", flushed=True)
    yield SqliteLedger(database)
    await database.aclose()


def rich(name: str) -> LedgerRecord:
    """A record of which every member has a value of its own."""
    return record(
        name,
        project="sales",
        product="gold",
        stream=True,
        cached=5,
        reasoning=7,
        counted=True,
        reserved=999,
        amount=123_456_789_012_345_678,
        queued=0.25,
        first_byte=0.125,
        cache="miss",
        flag="cut",
        detail=Detail(
            estimated=44,
            tried=(Tried(backend="one", began=0.5, seconds=0.25, outcome="backend_refused", status=429),),
            limits=(Held(name="deployments.chat.limits[0].tokens_per_minute", reserved=9, left=1),),
            words=(("routing", "It spilled over."),),
        ),
    )


async def test_what_is_kept_is_had_again(ledger: Ledger):
    wanted = [rich("a"), record("b", amount=None, currency="", detail=None), record("c", first_byte=None)]
    await ledger.add(wanted)
    assert [await ledger.get("here", each) for each in "abc"] == wanted


async def test_nobody_has_another_resources_records(ledger: Ledger):
    await ledger.add([record("a", resource="there")])
    assert await ledger.get("here", "a") is None
    assert await ledger.sums(HERE, ("key",)) == []
    assert await ledger.page(HERE, None, 10) == []


async def test_the_first_record_of_an_id_stays(ledger: Ledger):
    await ledger.add([record("a", prompt=1), record("a", prompt=2)])
    await ledger.add([record("a", prompt=3), record("b", prompt=4)])
    assert [(each.id, each.prompt) for each in await ledger.page(HERE, None, 10)] == [("a", 1), ("b", 4)]


def many(seed: int) -> list[LedgerRecord]:
    dice = Random(seed)
    return [
        record(
            f"r{number}",
            at=1_764_000_000.0 + dice.randrange(0, 40) * DAY / 2,
            caller_id=f"key_{dice.randrange(3)}",
            caller_name=dice.choice(["shop", "desk"]),
            product=dice.choice(["", "gold"]),
            project=dice.choice(["", "sales"]),
            deployment=dice.choice(["chat", "small"]),
            model=dice.choice(["gpt-4o", "o3"]),
            backend=dice.choice(["", "one", "two"]),
            operation=dice.choice(["chat_completions", "embeddings"]),
            outcome=dice.choice(["ok", "client_left"]),
            prompt=dice.randrange(1_000),
            completion=dice.randrange(1_000),
            cached=dice.randrange(10),
            reasoning=dice.randrange(10),
            amount=dice.choice([None, 0, dice.randrange(10**15), 10**18]),
            currency=dice.choice(["USD", "EUR"]),
            cache=dice.choice(["", "hit"]),
            flag=dice.choice(["", "crashed"]),
        )
        for number in range(120)
    ]


SPANS = [
    HERE,
    Span(resource="here", since=1_764_000_000.0 + 5 * DAY, until=1_764_000_000.0 + 12 * DAY),
    Span(resource="here", key="shop"),
    Span(resource="here", key="key_1", deployment="chat"),
    Span(resource="here", product="gold", project="sales"),
    Span(resource="here", project=""),
    Span(resource="here", deployment="none such"),
]


async def test_sums_are_those_of_the_reference(sqlite: SqliteLedger):
    memory = MemoryLedger()
    for store in (memory, sqlite):
        await store.add(many(1))
    ways: list[tuple[Grouping, ...]] = [(), *((each,) for each in get_args(Grouping))]
    ways += [("key", "deployment"), ("deployment", "key"), ("day", "key", "model"), ("month", "outcome", "backend")]
    for span, by in itertools.product(SPANS, ways):
        assert await sqlite.sums(span, by) == await memory.sums(span, by), (span, by)


async def test_pages_are_those_of_the_reference(sqlite: SqliteLedger):
    memory = MemoryLedger()
    for store in (memory, sqlite):
        await store.add(many(2))
    for span in SPANS:
        found: list[LedgerRecord] = []
        while page := await sqlite.page(span, (found[-1].at, found[-1].id) if found else None, 7):
            found += page
        assert found == await memory.page(span, None, 1_000)


async def test_days_and_months_are_those_of_utc(ledger: Ledger):
    edge = datetime(2027, 1, 31, 23, 59, 59, 999_000, tzinfo=UTC).timestamp()
    await ledger.add([record("a", at=edge), record("b", at=edge + 0.001), record("c", at=edge + 86_400)])
    days = await ledger.sums(HERE, ("day",))
    assert [(each.group["day"], each.calls) for each in days] == [("2027-01-31", 1), ("2027-02-01", 2)]
    months = await ledger.sums(HERE, ("month",))
    assert [(each.group["month"], each.calls) for each in months] == [("2027-01", 1), ("2027-02", 2)]


async def test_sums_of_money_are_exact_beyond_the_numbers_of_sqlite(ledger: Ledger):
    large, small = 9 * 10**18, 1
    await ledger.add([record(f"l{each}", amount=large) for each in range(50)])
    await ledger.add([record(f"s{each}", amount=small) for each in range(7)])
    (found,) = await ledger.sums(HERE, ())
    assert found.amount == 50 * large + 7 * small


async def test_an_unknown_price_is_counted_and_adds_nothing(ledger: Ledger):
    await ledger.add([record("a", amount=None, currency=""), record("b", amount=5), record("c", amount=0, currency="")])
    found = await ledger.sums(HERE, ("deployment",))
    assert [(each.currency, each.amount, each.calls, each.unpriced) for each in found] == [
        ("", 0, 2, 1),
        ("USD", 5, 1, 0),
    ]


async def test_old_records_go_and_old_details_before_them(ledger: Ledger):
    await ledger.add([record(f"r{day}", at=day * DAY) for day in range(10)])
    gone = 0
    while found := await ledger.prune(3 * DAY, 6 * DAY):
        gone += found
    assert gone == 3 + 3
    kept = {each.id: await ledger.get("here", each.id) for each in await ledger.page(HERE, None, 100)}
    assert {name: each is not None and each.detail is not None for name, each in kept.items()} == {
        **{f"r{day}": False for day in range(3, 6)},
        **{f"r{day}": True for day in range(6, 10)},
    }


async def test_what_sqlite_has_answered_to_is_brought_to_the_disk(tmp_path: Path):
    """As far as a test can see it: its writing connection is told to wait for the disk, and others are not."""
    for flushed, wanted in ((True, 2), (False, 1)):
        database = open_database(tmp_path / f"{flushed}.db", schema="ledger", flushed=flushed)
        found = await database.write(lambda connection: connection.pragma("synchronous"))
        await database.aclose()
        assert found == wanted


async def test_a_store_that_cannot_be_written_says_so_and_keeps_nothing_of_a_batch(tmp_path: Path):
    database = open_database(tmp_path / "ledger.db", schema="ledger", flushed=True)
    other = apsw.Connection(str(tmp_path / "ledger.db"))
    other.execute(
        "CREATE TRIGGER full BEFORE INSERT ON ledger WHEN NEW.id = 'c' BEGIN SELECT RAISE(ABORT, 'full'); END"
    )
    store = SqliteLedger(database)
    with pytest.raises(StoreFailed):
        await store.add([record("a"), record("b"), record("c")])
    assert await store.page(HERE, None, 10) == []
    other.execute("DROP TRIGGER full")
    other.close()
    await store.add([record("a"), record("c")])
    assert len(await store.page(HERE, None, 10)) == 2
    await database.aclose()
