"""The ledger's stores under one suite: what is kept once, what it sums up to, what is forgotten."""

import errno
import itertools
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import get_args

import apsw
import pytest

from forehearth.core.document import StoreFailed
from forehearth.core.ledger import NOTHING, Detail, Grouping, LedgerRecord, Span
from forehearth.core.record import Attempt, Touched
from forehearth.stores.memory_ledger import MemoryLedger
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.ledger import _SQL, SqliteLedger
from tests.unit.accounting.books import everything, outcomes, record

Ledger = MemoryLedger | SqliteLedger
HERE = Span(resource="here")
DAY = 86_400.0


@pytest.fixture(params=["memory", "sqlite"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    database = open_database(tmp_path / "ledger.db", schema="ledger")
    yield SqliteLedger(database)
    await database.aclose()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    database = open_database(tmp_path / "ledger.db", schema="ledger")
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
            started=7.0,
            estimated=44,
            attempts=(Attempt(backend="one", began=7.5, seconds=0.25, outcome="backend_refused", status=429),),
            limits=(Touched(name="deployments.chat.limits[0].tokens_per_minute", reserved=9, left=1),),
            words=(("routing", "It spilled over."),),
        ),
    )


async def test_what_is_kept_is_had_again(ledger: Ledger):
    wanted = [rich("a"), record("b", amount=None, currency="", detail=None), record("c", first_byte=None)]
    await ledger.add(outcomes(*wanted))
    assert [await ledger.get("here", each) for each in "abc"] == wanted


async def test_nobody_has_another_resources_records(ledger: Ledger):
    await ledger.add(outcomes(record("a", resource="there")))
    assert await ledger.get("here", "a") is None
    assert await ledger.sums(HERE, ("key",)) == []


async def test_the_first_record_of_an_id_stays(ledger: Ledger):
    await ledger.add(outcomes(record("a", prompt=1), record("a", prompt=2)))
    await ledger.add(outcomes(record("a", prompt=3), record("b", prompt=4)))
    assert [(each.id, each.prompt) for each in await everything(ledger)] == [("a", 1), ("b", 4)]


async def test_what_comes_together_is_kept_once_each_whatever_number_it_is(ledger: Ledger):
    """Statements that add many at once take some, single ones the rest; both pass over what is there already."""
    await ledger.add(outcomes(record("r00040", prompt=1)))
    for number in (0, 1, 31, 32, 33, 64, 70):
        batch = [record(f"r{each:05}", prompt=each + 100) for each in range(number)]
        await ledger.add(outcomes(*batch, *batch[:1]))
    found = {each.id: each.prompt for each in await everything(ledger)}
    assert found == {f"r{each:05}": 1 if each == 40 else each + 100 for each in range(70)}


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
        await store.add(outcomes(*many(1)))
    ways: list[tuple[Grouping, ...]] = [(), *((each,) for each in get_args(Grouping))]
    ways += [("key", "deployment"), ("deployment", "key"), ("day", "key", "model"), ("month", "outcome", "backend")]
    for span, by in itertools.product(SPANS, ways):
        assert await sqlite.sums(span, by) == await memory.sums(span, by), (span, by)


async def test_days_and_months_are_those_of_utc(ledger: Ledger):
    edge = datetime(2027, 1, 31, 23, 59, 59, 999_000, tzinfo=UTC).timestamp()
    await ledger.add(outcomes(record("a", at=edge), record("b", at=edge + 0.001), record("c", at=edge + 86_400)))
    days = await ledger.sums(HERE, ("day",))
    assert [(each.group["day"], each.calls) for each in days] == [("2027-01-31", 1), ("2027-02-01", 2)]
    months = await ledger.sums(HERE, ("month",))
    assert [(each.group["month"], each.calls) for each in months] == [("2027-01", 1), ("2027-02", 2)]


async def test_sums_of_money_are_exact_beyond_the_numbers_of_sqlite(ledger: Ledger):
    large, small = 9 * 10**18, 1
    await ledger.add(outcomes(*(record(f"l{each}", amount=large) for each in range(50))))
    await ledger.add(outcomes(*(record(f"s{each}", amount=small) for each in range(7))))
    (found,) = await ledger.sums(HERE, ())
    assert found.amount == 50 * large + 7 * small


async def test_an_unknown_price_is_counted_and_adds_nothing(ledger: Ledger):
    await ledger.add(
        outcomes(record("a", amount=None, currency=""), record("b", amount=5), record("c", amount=0, currency=""))
    )
    found = await ledger.sums(HERE, ("deployment",))
    assert [(each.currency, each.amount, each.calls, each.unpriced) for each in found] == [
        ("", 0, 2, 1),
        ("USD", 5, 1, 0),
    ]


async def test_old_records_go_and_old_details_before_them(ledger: Ledger):
    await ledger.add(outcomes(*(record(f"r{day}", at=day * DAY) for day in range(10))))
    gone = 0
    while found := await ledger.prune(3 * DAY, 6 * DAY):
        gone += found
    assert gone == 3 + 3
    kept = {each.id: await ledger.get("here", each.id) for each in await everything(ledger)}
    assert {name: each is not None and each.detail != NOTHING for name, each in kept.items()} == {
        **{f"r{day}": False for day in range(3, 6)},
        **{f"r{day}": True for day in range(6, 10)},
    }


async def test_details_are_forgotten_in_the_order_in_which_records_came(sqlite: SqliteLedger):
    """One that came late is not passed over, and one that is younger than those after it only holds them up."""
    times = [1.0, 9.0, 2.0, 3.0]
    await sqlite.add(outcomes(*(record(f"r{number}", at=at) for number, at in enumerate(times))))
    assert [await sqlite.prune(0.0, 5.0) for _ in range(2)] == [1, 0]
    await sqlite.add(outcomes(record("r4", at=0.5)))
    assert [await sqlite.prune(0.0, 9.5) for _ in range(2)] == [4, 0]
    assert [each.id for each in await everything(sqlite) if each.detail != NOTHING] == []


async def test_after_all_records_are_gone_new_ones_are_forgotten_in_their_turn(sqlite: SqliteLedger):
    await sqlite.add(outcomes(*(record(f"r{number}", at=1.0) for number in range(5))))
    assert await sqlite.prune(2.0, 2.0) == 5
    await sqlite.add(outcomes(record("new", at=1.0)))
    assert await sqlite.prune(0.0, 2.0) == 1


async def test_who_has_no_calls_any_more_is_forgotten(sqlite: SqliteLedger):
    """A name must not outlast the records of its calls; and who calls again is there again."""
    await sqlite.add(outcomes(record("a", at=1.0, caller_name="gone"), record("b", at=9.0, caller_name="here")))
    await sqlite.prune(5.0, 5.0)
    query = "SELECT caller_name FROM accounts"
    assert await sqlite._database.read(lambda connection: connection.execute(query).fetchall()) == [("here",)]
    await sqlite.add(outcomes(record("c", at=9.0, caller_name="gone")))
    found = await sqlite.sums(HERE, ("key",))
    assert [(each.group["key"], each.calls) for each in found] == [("gone", 1), ("here", 1)]


async def test_every_index_is_used_and_no_report_reads_all_calls(sqlite: SqliteLedger):
    """A report reads the calls of its time, and an explanation one."""
    span = {"resource": "here", "since": 5.0, "until": 9.0, "key": None, "product": None, "deployment": None}
    ways = {f"by_{name}": False for name in get_args(Grouping)}

    async def plan(name: str, values: dict[str, object]) -> str:
        query = f"EXPLAIN QUERY PLAN {_SQL[name]}"
        rows = await sqlite._database.read(lambda connection: connection.execute(query, values).fetchall())
        return " ".join(str(row[3]) for row in rows)

    assert "calls_by_account (account=? AND at>? AND at<?)" in await plan("sums", span | ways | {"project": None})
    assert "(id=?)" in await plan("get", {"resource": "here", "id": "a"})


async def test_what_was_added_is_brought_to_the_disk_when_it_is_flushed(sqlite: SqliteLedger, monkeypatch):
    """As far as a test can see it: the file that has what was added is synced, then the folder that names it."""
    await sqlite.add(outcomes(record("a")))
    synced: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(Path(f"/proc/self/fd/{file}").readlink()))
    log = Path(f"{sqlite._database._path}-wal")
    await sqlite.flush()
    assert synced == [log, log.parent]


async def test_a_disk_that_does_not_take_it_is_said(sqlite: SqliteLedger, monkeypatch):
    def fails(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    await sqlite.add(outcomes(record("a")))
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(StoreFailed, match="Input/output error"):
        await sqlite.flush()


async def test_a_store_that_cannot_be_written_says_so_and_keeps_nothing_of_a_batch(tmp_path: Path):
    database = open_database(tmp_path / "ledger.db", schema="ledger")
    other = apsw.Connection(str(tmp_path / "ledger.db"))
    other.execute("CREATE TRIGGER full BEFORE INSERT ON calls WHEN NEW.id = 'c' BEGIN SELECT RAISE(ABORT, 'full'); END")
    store = SqliteLedger(database)
    with pytest.raises(StoreFailed):
        await store.add(outcomes(record("a"), record("b"), record("c")))
    assert await everything(store) == []
    other.execute("DROP TRIGGER full")
    other.close()
    await store.add(outcomes(record("a"), record("c")))
    assert len(await everything(store)) == 2
    await database.aclose()


async def test_what_was_done_later_for_a_request_is_found_with_it(ledger: Ledger):
    mine = [record(name, at=1.0 + place) for place, name in enumerate(("id-1", "id-1-2", "id-1-3"))]
    others = [record("id-12"), record("id-1.5"), record("id-2"), record("id-1-4", resource="there")]
    await ledger.add(outcomes(*mine[::-1], *others))
    assert await ledger.of_request("here", "id-1", 10) == mine
    assert await ledger.of_request("here", "id-1", 2) == mine[:2]
    assert await ledger.of_request("here", "id-1-2", 10) == mine[1:2]
    assert await ledger.of_request("there", "id-1", 10) == others[3:]
