"""What is particular to the store in a file: many processes, sudden ends, and files that cannot be used."""

import asyncio
import random
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import apsw
import pytest

from forehearth.core.document import StoreFailed
from forehearth.core.errors import Misconfigured
from forehearth.stores.queries import migrations, queries
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.documents import SqliteDocuments

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def database(tmp_path):
    opened = open_database(tmp_path / "store.db")
    yield opened
    await opened.aclose()


def writer(file, name, count):
    command = [sys.executable, "-m", "tests.integration.stores.writer", str(file), name, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


async def kept(file):
    database = open_database(file)
    found = await SqliteDocuments(database).of_all_places("thing")
    version = await SqliteDocuments(database).version("thing")
    await database.aclose()
    assert version == len(found)
    return [each.id for each in found]


async def test_four_processes_write_one_file_and_lose_nothing(tmp_path):
    file, count = tmp_path / "store.db", 200
    writers = [writer(file, f"w{number}", count) for number in range(4)]
    told = [line for each in writers for line in each.communicate(timeout=60)[0].split()]
    assert [each.returncode for each in writers] == [0] * 4
    assert sorted(await kept(file)) == sorted(told)
    assert len(told) == 4 * count


def ended_suddenly(process, seconds):
    """What it had told when it was killed, the last line only if it is whole."""
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    time.sleep(seconds)
    process.kill()
    lines += process.stdout.readlines()
    process.stdout.close()
    process.wait()
    return {line.strip() for line in lines if line.endswith("\n")}


async def test_what_was_acknowledged_survives_a_sudden_end(tmp_path, record_property):
    file, dice, kills = tmp_path / "store.db", random.Random(7), 20
    told: set[str] = set()
    for number in range(kills):
        told |= ended_suddenly(writer(file, f"k{number}", 100_000), dice.uniform(0, 0.05))
    lost = told - set(await kept(file))
    record_property("kills", kills)
    record_property("acknowledged", len(told))
    record_property("lost", len(lost))
    assert len(told) >= kills
    assert lost == set()


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


def test_a_sqlite_that_corrupts_its_log_is_refused(tmp_path):
    with pytest.raises(Misconfigured, match="may corrupt"):
        open_database(tmp_path / "store.db", version=3_040_001)


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


def test_every_query_has_a_name_and_says_what_it_is_for():
    assert len(queries("documents")) == 11
    assert len(queries("audit")) == 3
    assert [number for number, _ in migrations()] == sorted({number for number, _ in migrations()})


async def _closed(database):
    await database.aclose()
