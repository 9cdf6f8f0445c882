"""What is particular to the store in a file: closures that share a commit, and files that cannot be used."""

import asyncio
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from forehearth.core.document import StoreFailed
from forehearth.core.errors import Misconfigured
from forehearth.stores.queries import queries
from forehearth.stores.sqlite.database import Database, open_database


@pytest.fixture
async def database(tmp_path):
    opened = open_database(tmp_path / "store.db")
    yield opened
    await opened.aclose()


async def test_one_closure_that_fails_undoes_nothing_of_the_others(database):
    def good(name):
        return lambda connection: connection.execute("INSERT INTO versions VALUES (?, 1)", (name,)).fetchall()

    def bad(connection):
        connection.execute("INSERT INTO versions VALUES ('bad', 1)")
        raise LookupError("mine")

    gate = threading.Event()
    held = asyncio.ensure_future(database.write(lambda _: gate.wait(5)))
    await asyncio.sleep(0.05)
    waiting = [database.write(good("a")), database.write(bad), database.write(good("b"))]
    together = asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.sleep(0.05)
    gate.set()
    await held
    outcomes = await together
    assert isinstance(outcomes[1], LookupError)
    rows = await database.read(lambda connection: connection.execute("SELECT kind FROM versions").fetchall())
    assert sorted(rows) == [("a",), ("b",)]


async def test_a_disk_that_is_full_is_told_and_nothing_is_half_written(database):
    def fill(connection):
        connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchall()[0][0] + 2}")

    await database.write(fill)
    blob = b"x" * 1_000_000
    with pytest.raises(StoreFailed, match="FullError"):
        await database.write(
            lambda connection: connection.execute(
                "INSERT INTO audit VALUES (NULL, 0, ?, '', '', '', '', '', '', 1, 200, '')", (blob,)
            ).fetchall()
        )
    assert await database.read(lambda connection: connection.execute("SELECT count(*) FROM audit").fetchall()) == [(0,)]
    await database.write(lambda connection: connection.execute("INSERT INTO versions VALUES ('a', 1)").fetchall())


async def test_a_cancelled_wait_breaks_nothing(database):
    gate = threading.Event()
    held = asyncio.ensure_future(database.write(lambda _: gate.wait(5)))
    await asyncio.sleep(0.05)
    given_up = asyncio.ensure_future(
        database.write(lambda connection: connection.execute("INSERT INTO versions VALUES ('a', 1)").fetchall())
    )
    await asyncio.sleep(0.01)
    given_up.cancel()
    gate.set()
    await held
    await database.write(lambda connection: connection.execute("INSERT INTO versions VALUES ('b', 1)").fetchall())
    assert given_up.cancelled()


async def test_the_file_is_ones_own(database, tmp_path):
    await database.write(lambda _: None)
    assert stat.S_IMODE((tmp_path / "store.db").stat().st_mode) == 0o600


async def test_workers_may_open_a_new_file_at_the_same_time(tmp_path):
    """Who comes while another one turns to writing ahead is told that the file is locked, without waiting for it."""
    together = 8
    with ThreadPoolExecutor(together) as pool:
        for number in range(40):
            start = threading.Barrier(together)

            def open_it(path: Path, start: threading.Barrier) -> Database:
                start.wait()
                return open_database(path)

            opened = [pool.submit(open_it, tmp_path / f"{number}.db", start) for _ in range(together)]
            for each in opened:
                await each.result().aclose()


def test_a_sqlite_that_corrupts_its_log_is_refused(tmp_path):
    with pytest.raises(Misconfigured, match="may corrupt"):
        open_database(tmp_path / "store.db", version=3_040_001)


async def test_every_query_has_an_index(database):
    names = ("resource", "project", "agent", "kind", "id", "parent", "now", "low", "high", "limit", "metadata")
    wanted = dict.fromkeys((*names, "created", "updated", "body", "expires", "wanted", "before"))

    def plans(connection):
        found = {}
        for name, sql in queries("sqlite", "documents").items():
            rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", wanted).fetchall()
            found[name] = " ".join(row[3] for row in rows)
        return found

    found = await database.read(plans)
    assert not [name for name, plan in found.items() if "SCAN documents" in plan or "TEMP B-TREE" in plan]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("INSERT INTO migrations VALUES (9999, 'x')", "a newer Forehearth"),
        ("UPDATE migrations SET digest = 'x'", "another migration 1"),
    ],
)
def test_a_file_of_another_schema_is_left_alone(tmp_path, change, says):
    file = tmp_path / "store.db"
    asyncio.run(_closed(open_database(file)))
    connection = apsw.Connection(str(file))
    connection.execute(change)
    connection.close()
    with pytest.raises(Misconfigured, match=says):
        open_database(file)


@pytest.mark.parametrize("name", [".", "missing/store.db"])
def test_a_file_that_cannot_be_is_told(tmp_path, name):
    with pytest.raises(Misconfigured, match="cannot be used"):
        open_database(tmp_path / name)


def test_a_file_that_is_none_of_ours_is_told(tmp_path):
    (tmp_path / "store.db").write_bytes(b"not a database at all, but long enough to be looked at" * 100)
    with pytest.raises(Misconfigured, match="cannot be used"):
        open_database(tmp_path / "store.db")


async def _closed(database):
    await database.aclose()
