"""What is particular to PostgreSQL: a server that goes away and comes back, and databases that cannot be used."""

import asyncio
import re
import subprocess
import sys

import asyncpg
import msgspec
import pytest

from forehearth.core.audit import AuditQuery, AuditRecord
from forehearth.core.document import Document, DocumentExists, StoreFailed
from forehearth.core.errors import Misconfigured
from forehearth.core.place import Place
from forehearth.core.secret import Secret
from forehearth.stores.postgres.audit import PostgresAudit
from forehearth.stores.postgres.documents import PostgresDocuments
from forehearth.stores.postgres.opening import open_database
from forehearth.stores.postgres.statements import statements
from tests.conftest import ROOT
from tests.integration.stores.broken_line import line_to
from tests.postgres_server import WITH_PASSWORD

HERE = Place(resource="here")
RECORD = AuditRecord(
    at=1.0, request_id="r", resource="here", actor="a", actor_kind="key", action="keys.create", allowed=True, status=201
)


def document(name="a", body=b"{}"):
    return Document(place=HERE, kind="thing", id=name, created=0.0, updated=0.0, body=body)


@pytest.fixture
def url(postgres, database):
    postgres.sql(database, "SET client_min_messages = warning; DROP SCHEMA IF EXISTS forehearth CASCADE")
    return postgres.url(database)


@pytest.fixture
async def store(url):
    opened = await open_database(Secret(url), connections=4, answer_seconds=1.0)
    yield PostgresDocuments(opened)
    await opened.aclose()


@pytest.fixture
async def line(postgres):
    async with line_to(postgres.folder / ".s.PGSQL.5432") as made:
        yield made


@pytest.fixture
async def far_store(url, database, line):
    """The same database, over a line that can be cut."""
    address = Secret(f"postgresql://postgres@127.0.0.1:{line.port}/{database}?sslmode=disable")
    opened = await open_database(address, connections=4, answer_seconds=0.5)
    yield PostgresDocuments(opened)
    await opened.aclose()


async def test_a_server_that_starts_anew_under_load_loses_nothing_acknowledged(postgres, store, record_property):
    """Three crashes and an orderly end while eight write. Nobody opens anything anew."""
    told: set[str] = set()
    failures: list[bool] = []
    over = asyncio.Event()

    async def write(writer: int) -> None:
        number = 0
        while not over.is_set():
            name = f"w{writer}-{number}"
            try:
                await store.insert(document(name))
            except StoreFailed as error:
                failures.append(error.uncertain)
                await asyncio.sleep(0.01)
                continue
            except DocumentExists:
                assert any(failures), "only what is uncertain may have been done"
            told.add(name)
            number += 1

    writers = [asyncio.create_task(write(each)) for each in range(8)]

    async def go_on() -> None:
        enough = len(told) + 50
        while len(told) < enough:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)

    for how in ("immediate", "immediate", "fast", "immediate"):
        await go_on()
        await asyncio.to_thread(postgres.restart, how)
    await go_on()
    over.set()
    await asyncio.gather(*writers)
    kept = {each.id for each in await store.of_all_places("thing")}
    record_property("acknowledged", len(told))
    record_property("failed", len(failures))
    assert failures
    assert told - kept == set()
    assert await store.version("thing") == len(kept)


async def test_what_only_reads_does_not_notice_that_a_server_started_anew(postgres, store):
    kept = await store.insert(document())
    await asyncio.gather(*(store.get(HERE, "thing", "a") for _ in range(8)))
    postgres.restart()
    assert await store.get(HERE, "thing", "a") == kept
    assert (await asyncio.gather(*(store.version("thing") for _ in range(8)))) == [1] * 8


async def test_a_server_that_is_away_is_told_at_once_and_for_certain(postgres, store):
    await store.insert(document())
    postgres.stop()
    try:
        for ask in (store.insert(document("b")), store.get(HERE, "thing", "a"), store.version("thing")):
            with pytest.raises(StoreFailed) as failed:
                await ask
        with pytest.raises(StoreFailed, match=r"the store does not answer: \w+Error$") as failed:
            await store.insert(document("b"))
        assert failed.value.uncertain is False
    finally:
        postgres.start()
    assert await store.get(HERE, "thing", "b") is None
    assert (await store.insert(document("b"))).id == "b"


async def test_an_answer_that_is_lost_leaves_a_write_in_doubt(store, far_store, line):
    """It was carried out; who asked cannot know."""
    await far_store.insert(document())
    line.passes_answers = False
    asked = asyncio.create_task(far_store.insert(document("b")))
    while await store.get(HERE, "thing", "b") is None:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
    line.cut()
    with pytest.raises(StoreFailed) as failed:
        await asked
    assert failed.value.uncertain is True
    line.passes_answers = True
    with pytest.raises(DocumentExists):
        await far_store.insert(document("b"))


async def test_a_network_that_swallows_everything_is_given_up_and_comes_back(far_store, line):
    await far_store.insert(document())
    line.passes_answers = False
    with pytest.raises(StoreFailed, match="does not answer: TimeoutError") as failed:
        await far_store.replace(document(body=b"2"), etag=None)
    assert failed.value.uncertain is True
    line.passes_answers = True
    found = await far_store.get(HERE, "thing", "a")
    assert found is not None
    assert (await far_store.replace(found, etag=found.etag)).etag != found.etag


async def test_a_statement_that_takes_too_long_is_stopped_and_changes_nothing(postgres, url, store):
    """The server itself says that it stopped, so that is certain."""
    kept = await store.insert(document())
    other = await asyncpg.connect(url)
    async with other.transaction():
        await other.execute("LOCK TABLE forehearth.documents IN EXCLUSIVE MODE")
        with pytest.raises(StoreFailed, match="refused: QueryCanceledError") as failed:
            await store.replace(document(body=b"2"), etag=None)
        assert failed.value.uncertain is False
    await other.close()
    assert await store.get(HERE, "thing", "a") == kept


async def test_who_is_cancelled_ends_at_once_although_the_server_says_nothing(far_store, line):
    await far_store.insert(document())
    line.passes_answers = False
    waiting = asyncio.create_task(far_store.version("thing"))
    await asyncio.sleep(0.05)
    waiting.cancel()
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert done
    assert waiting.cancelled()


async def test_a_cancelled_wait_breaks_nothing(url, store):
    await store.insert(document())
    other = await asyncpg.connect(url)
    async with other.transaction():
        await other.execute("LOCK TABLE forehearth.documents IN EXCLUSIVE MODE")
        waiting = [asyncio.create_task(store.replace(document(body=b"2"), etag=None)) for _ in range(8)]
        await asyncio.sleep(0.1)
        for each in waiting:
            each.cancel()
        await asyncio.wait(waiting)
    await other.close()
    assert all(each.cancelled() for each in waiting)
    assert (await asyncio.gather(*(store.version("thing") for _ in range(8)))) == [1] * 8


async def test_connections_are_bounded_and_those_who_wait_are_served(postgres, url, database):
    opened = await open_database(Secret(url), connections=3)
    documents = PostgresDocuments(opened)
    most = 0
    waiting = asyncio.gather(*(documents.insert(document(f"d{number}")) for number in range(300)))
    while not waiting.done():
        count = await asyncio.to_thread(
            postgres.sql, database, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'forehearth'"
        )
        most = max(most, int(count))
    assert len(await waiting) == 300
    assert 1 <= most <= 3
    await opened.aclose()


async def test_what_the_store_itself_cannot_take_is_no_failure_of_the_store(url):
    """It would fail again and again; nobody may wait for that to end. And of one batch all is kept, or nothing."""
    opened = await open_database(Secret(url), connections=2)
    audit = PostgresAudit(opened)
    for odd in ("a\0b", "\ud800"):
        with pytest.raises((asyncpg.DataError, UnicodeEncodeError)):
            await audit.append([RECORD, msgspec.structs.replace(RECORD, detail=odd)])
    assert await audit.page(AuditQuery()) == []
    await audit.append([RECORD])
    await opened.aclose()


async def test_the_end_does_not_wait_for_a_server_that_says_nothing(url, database, line):
    address = Secret(f"postgresql://postgres@127.0.0.1:{line.port}/{database}?sslmode=disable")
    opened = await open_database(address, connections=2, answer_seconds=60.0)
    documents = PostgresDocuments(opened)
    await documents.insert(document())
    line.passes_answers = False
    asked = asyncio.create_task(documents.version("thing"))
    await asyncio.sleep(0.05)
    await opened.aclose()
    with pytest.raises(StoreFailed):
        await asked


PLANNED = {
    "get": "documents_resource_project_agent_kind_id_key",
    "edge": "documents_resource_project_agent_kind_id_key",
    "page_ascending": "documents_by_place",
    "page_descending": "documents_by_place",
    "children_ascending": "documents_by_parent",
    "children_descending": "documents_by_parent",
    "of_all_places": "documents_by_kind",
}


async def test_every_query_has_its_index_before_there_are_any_statistics(url, store):
    """Then the planner takes all indexes for equally good that it can use at all; one of them reads a whole place."""
    await asyncio.gather(*(store.insert(document(f"d{number}")) for number in range(500)))
    asked = {"resource": "here", "project": "", "agent": "", "kind": "thing", "id": "d7", "parent": "p"}
    asked |= {"now": 0.0, "low": 0, "high": 2**62, "limit": 21, "metadata": "{}"}
    connection = await asyncpg.connect(url, server_settings={"search_path": "forehearth"})
    for name, index in PLANNED.items():
        statement = statements("documents")[name]
        rows = await connection.fetch(f"EXPLAIN {statement.sql}", *statement.arguments(asked))
        plan = "\n".join(row[0] for row in rows)
        assert f" {index} " in plan, (name, plan)
        assert "Seq Scan" not in plan, (name, plan)
    await connection.close()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("INSERT INTO forehearth.migrations VALUES (9999, 'x')", "a newer Forehearth"),
        ("UPDATE forehearth.migrations SET digest = 'x' WHERE number = 1", "another migration 1"),
    ],
)
async def test_a_database_of_another_schema_is_left_alone(postgres, url, database, change, says):
    await (await open_database(Secret(url), connections=1)).aclose()
    postgres.sql(database, change)
    with pytest.raises(Misconfigured, match=says):
        await open_database(Secret(url), connections=1)


async def test_a_schema_that_cannot_be_made_whole_is_not_made_at_all(postgres, url, database):
    postgres.sql(database, "CREATE SCHEMA forehearth; CREATE TABLE forehearth.audit (mine integer)")
    with pytest.raises(Misconfigured, match=r"is not ours \(DuplicateTableError\)"):
        await open_database(Secret(url), connections=1)
    assert postgres.sql(database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'forehearth'").strip() == "1"


@pytest.fixture(scope="module")
def roles(postgres, database):
    postgres.sql(database, f"CREATE ROLE {WITH_PASSWORD} LOGIN PASSWORD '{WITH_PASSWORD}'; CREATE ROLE poor LOGIN")
    postgres.sql(database, f"GRANT CREATE ON DATABASE {database} TO {WITH_PASSWORD}")


UNUSABLE = {
    "wrong password": ("postgresql://careful:hunter2-hunter2@/{database}?host={folder}", "this user or password"),
    "no such role": ("postgresql://nobody-here@/{database}?host={folder}", "this user or password"),
    "no such database": ("postgresql://postgres@/nowhere?host={folder}", "no such database"),
    "no right": ("postgresql://poor@/{database}?host={folder}", "GRANT CREATE ON DATABASE"),
    "no TLS": ("postgresql://postgres:hunter2-hunter2@127.0.0.1:{port}/{database}?sslmode=require", "asks for TLS"),
    "no CA": ("postgresql://postgres@127.0.0.1:{port}/{database}?sslmode=verify-full", "with sslrootcert=FILE"),
    "a CA that is not there": (
        "postgresql://postgres@127.0.0.1:{port}/{database}?sslmode=verify-full&sslrootcert=/nowhere/ca.pem",
        "sslrootcert names a file that cannot be read",
    ),
    "port": ("postgresql://postgres:hunter2-hunter2@127.0.0.1:port/{database}", "this is not postgresql://USER"),
    "password with a #": ("postgresql://postgres:hunter2#hunter2@127.0.0.1/{database}", "this is not postgresql://"),
    "mode": ("postgresql://postgres@/{database}?host={folder}&sslmode=sometimes", "this is not postgresql://USER"),
    "encoding": ("postgresql://postgres@/latin?host={folder}", "is LATIN1: make one with ENCODING 'UTF8'"),
}


@pytest.fixture(scope="module")
def latin(postgres):
    postgres.create_database("latin", "-E", "LATIN1", "-T", "template0")


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """A home without a CA in it."""
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.usefixtures("url", "roles", "latin", "elsewhere")
@pytest.mark.parametrize(("pattern", "says"), UNUSABLE.values(), ids=UNUSABLE)
async def test_a_database_that_cannot_be_used_is_told_without_its_secrets(postgres, database, line, pattern, says):
    address = pattern.format(database=database, folder=postgres.folder, port=line.port)
    with pytest.raises(Misconfigured, match=says) as refused:
        await open_database(Secret(address), connections=1)
    assert "hunter2" not in refused.value.message
    assert refused.value.__cause__ is None


async def test_a_role_needs_no_more_than_its_password_and_the_right_to_make_a_schema(postgres, url, database, roles):
    address = Secret(f"postgresql://{WITH_PASSWORD}:{WITH_PASSWORD}@/{database}?host={postgres.folder}")
    opened = await open_database(address, connections=1)
    assert (await PostgresDocuments(opened).insert(document())).sequence == 1
    await opened.aclose()
    postgres.sql(database, f"REVOKE CREATE ON DATABASE {database} FROM {WITH_PASSWORD}")
    opened = await open_database(address, connections=1)
    assert await PostgresDocuments(opened).version("thing") == 1
    await opened.aclose()


def test_without_the_driver_one_line_says_what_to_do():
    program = """
import sys
sys.modules["asyncpg"] = None
from forehearth.core.errors import Misconfigured
try:
    import forehearth.stores.postgres.opening
except Misconfigured as error:
    print(error.message)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("store.postgres is set, and asyncpg cannot be loaded (")
    assert ran.stdout.endswith("): pip install 'forehearth[postgres]'\n")


def test_the_driver_is_imported_by_one_file_and_only_when_it_is_needed():
    line = re.compile(r"^\s*import asyncpg", re.MULTILINE)
    importing = [path.name for path in (ROOT / "src").rglob("*.py") if line.search(path.read_text())]
    assert importing == ["driver.py"]
    program = "import sys, forehearth.server.worker; print('asyncpg' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
