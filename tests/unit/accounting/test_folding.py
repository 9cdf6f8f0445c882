"""From the journals to the ledger: everything once, whatever ends in the middle."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from forehearth.accounting.folding import Fold, Folding
from forehearth.accounting.journal import Journal, segments
from forehearth.accounting.outcomes import crashed
from forehearth.core.document import StoreFailed
from forehearth.core.ledger import Intent, LedgerRecord, Outcome
from forehearth.stores.memory_ledger import MemoryLedger
from forehearth.testing.clock import VirtualClock
from tests.unit.accounting.books import Counts, encoded, everything, intent, record


class Ended(BaseException):
    """As good as kill -9: nothing after it runs."""


class Failing(MemoryLedger):
    """A ledger that fails, or ends the process, when it is asked for the so-manieth time; before or after it kept."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.fails: dict[int, Exception | Ended] = {}
        self.fails_after: dict[int, Ended] = {}

    async def add(self, outcomes: Sequence[Outcome]) -> None:
        self.asked += 1
        if self.asked in self.fails:
            raise self.fails[self.asked]
        await super().add(outcomes)
        if self.asked in self.fails_after:
            raise self.fails_after[self.asked]


async def kept(store: MemoryLedger) -> dict[str, LedgerRecord]:
    return {each.id: each for each in await everything(store)}


def booked(found: Intent) -> LedgerRecord:
    return crashed(found, None)


def folds(store: MemoryLedger, root: Path) -> Fold:
    return Fold(root=root, store=store, booked=booked, meter=Counts(), clock=VirtualClock())


@pytest.fixture
def journal(tmp_path: Path):
    made = Journal.create(tmp_path / "journal", "0-1", segment_bytes=2_000)
    yield made
    made.close()


def call(journal: Journal, name: str) -> None:
    journal.begin(name, encoded(intent(name)))
    journal.end([name], encoded(record(name)))


async def test_outcomes_come_to_the_ledger_and_segments_go(journal):
    store = MemoryLedger()
    folding = Folding(journal, folds(store, journal.folder.parent))
    for number in range(40):
        call(journal, f"c{number}")
        if number % 7 == 0:
            await folding.fold()
    await folding.fold()
    assert set(await kept(store)) == {f"c{number}" for number in range(40)}
    assert (await kept(store))["c3"] == record("c3")
    assert journal.segment > 5
    assert [each.name for each in segments(journal.folder)] == [f"{journal.segment:06d}"]


async def test_a_segment_goes_only_once_what_was_folded_is_on_the_disk(journal, tmp_path):
    class Undisked(MemoryLedger):
        is_away = True

        async def flush(self) -> None:
            if self.is_away:
                raise StoreFailed("the disk failed")

    store = Undisked()
    fold = folds(store, tmp_path / "journal")
    folding = Folding(journal, fold)
    for number in range(20):
        call(journal, f"c{number}")
    written = segments(journal.folder)
    assert len(written) > 2
    with pytest.raises(StoreFailed):
        await folding.fold()
    assert segments(journal.folder) == written
    journal.close()
    with pytest.raises(StoreFailed):
        await fold.take_over()
    assert segments(journal.folder) == written
    store.is_away = False
    await fold.take_over()
    assert len(await kept(store)) == 20
    assert list((tmp_path / "journal").iterdir()) == []


async def test_a_call_under_way_is_in_nobodys_ledger(journal):
    store = MemoryLedger()
    folding = Folding(journal, folds(store, journal.folder.parent))
    journal.begin("long", encoded(intent("long")))
    for number in range(30):
        call(journal, f"c{number}")
    await folding.fold()
    assert "long" not in await kept(store)
    journal.end(["long"], encoded(record("long")))
    await folding.fold()
    assert (await kept(store))["long"].outcome == "ok"


async def test_what_was_under_way_when_a_worker_ended_is_booked_as_reserved(journal, tmp_path):
    journal.begin("long", encoded(intent("long", prompt=300, reserved=1_300)))
    for number in range(30):
        call(journal, f"c{number}")
    journal.begin("short", encoded(intent("short")))
    journal.close()
    store = MemoryLedger()
    await folds(store, tmp_path / "journal").take_over()
    found = await kept(store)
    assert len(found) == 32
    assert {each.id for each in found.values() if each.flag == "crashed"} == {"long", "short"}
    long = found["long"]
    assert (long.prompt, long.completion, long.reserved, long.status) == (300, 1_000, 1_300, 0)
    assert (long.outcome, long.amount, long.counted) == ("crashed", None, True)
    assert list((tmp_path / "journal").iterdir()) == []


async def test_an_end_at_any_point_of_folding_loses_and_doubles_nothing(tmp_path):
    """At each time the ledger is asked, before and after it kept what it was given, and again when it is done over."""
    for point in range(1, 12):
        for after in (False, True):
            root = tmp_path / f"{point}-{after}"
            journal = Journal.create(root, "0-1", segment_bytes=1_500)
            store = Failing()
            (store.fails_after if after else store.fails).update({point: Ended(), point + 3: Ended()})
            folding = Folding(journal, folds(store, journal.folder.parent))
            journal.begin("open", encoded(intent("open")))
            try:
                for number in range(20):
                    call(journal, f"c{number}")
                    await folding.fold()
                known = 20
            except Ended:
                known = number + 1
            journal.close()
            for _ in range(3):
                try:
                    await folds(store, root).take_over()
                    break
                except Ended:
                    continue
            found = await kept(store)
            assert set(found) == {"open", *(f"c{each}" for each in range(known))}, (point, after)
            assert [each.id for each in found.values() if each.flag] == ["open"]
            assert list(root.iterdir()) == []


async def test_a_store_that_is_away_is_asked_again(journal):
    store = Failing()
    store.fails = {1: StoreFailed("away"), 2: StoreFailed("away"), 3: StoreFailed("away")}
    fold = folds(store, journal.folder.parent)
    folding, counts, clock = Folding(journal, fold), fold.meter, fold.clock
    assert isinstance(counts, Counts)
    assert isinstance(clock, VirtualClock)
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await clock.advance(seconds)
        if len(pauses) == 5:
            raise Ended

    call(journal, "a")
    with pytest.raises(Ended):
        await folding.run(sleep)
    assert set(await kept(store)) == {"a"}
    assert pauses == [1.0, 2.0, 4.0, 0.5, 0.5]
    assert counts.seconds_behind == [0.0, 1.0, 3.0, 0.0, 0.0]
    assert counts.records == {"": 1}


async def test_a_record_that_cannot_be_kept_is_in_no_other_ones_way(journal):
    class Choosy(MemoryLedger):
        async def add(self, outcomes: Sequence[Outcome]) -> None:
            if any(each.id == "odd" for each in outcomes):
                raise OverflowError("int too large")
            await super().add(outcomes)

    store = Choosy()
    fold = folds(store, journal.folder.parent)
    for name in ("a", "odd", "b"):
        call(journal, name)
    await Folding(journal, fold).fold()
    assert set(await kept(store)) == {"a", "b"}
    assert isinstance(fold.meter, Counts)
    assert (dict(fold.meter.records), dict(fold.meter.outcomes)) == ({"": 2}, {"lost": 1})


async def test_only_journals_are_taken_over(journal, tmp_path):
    root = tmp_path / "journal"
    for name in ("scripts", ".0-2", "0-2x"):
        (root / name).mkdir()
        (root / name / "lock").write_text("somebody else's")
    journal.close()
    await folds(MemoryLedger(), root).take_over()
    assert sorted(each.name for each in root.iterdir()) == [".0-2", "0-2x", "scripts"]
    assert (root / "scripts" / "lock").read_text() == "somebody else's"


async def test_damaged_records_are_passed_over_and_told(journal, caplog, tmp_path):
    call(journal, "a")
    journal.end(["odd"], b'["outcome"]')
    call(journal, "b")
    journal.close()
    path = segments(journal.folder)[0]
    path.write_bytes(path.read_bytes() + b"0000")
    store = MemoryLedger()
    await folds(store, tmp_path / "journal").take_over()
    assert set(await kept(store)) == {"a", "b"}
    assert "2 records of the journal" in caplog.text


async def test_a_journal_without_anything_left_is_removed_at_the_end(journal):
    store = MemoryLedger()
    folding = Folding(journal, folds(store, journal.folder.parent))
    call(journal, "a")
    journal.close()
    await folding.finish()
    assert not journal.folder.exists()
    assert set(await kept(store)) == {"a"}


async def test_a_journal_with_calls_under_way_stays_for_the_next_start(journal, tmp_path):
    store = MemoryLedger()
    folding = Folding(journal, folds(store, journal.folder.parent))
    journal.begin("a", encoded(intent("a")))
    journal.close()
    await folding.finish()
    assert await kept(store) == {}
    await folds(store, tmp_path / "journal").take_over()
    assert (await kept(store))["a"].flag == "crashed"


async def test_records_of_an_older_program_are_read(journal, tmp_path):
    """It wrote each record by itself, and members are only ever added at the end."""
    older = msgspec.json.decode(msgspec.json.encode(record("a")))[:-1]
    journal.end(["a"], msgspec.json.encode(older))
    journal.close()
    store = MemoryLedger()
    await folds(store, tmp_path / "journal").take_over()
    assert (await kept(store))["a"].amount == record("a").amount
