"""PostgreSQL over TLS: what `sslmode` and `sslrootcert` in its address accept, and what they refuse.

The server that the tests have is built without TLS. So its end is spoken by a door in front of it, in the way of
PostgreSQL: it answers the request for TLS, and what comes then goes on to the server in the clear. Our end is real.
"""

import asyncio
import contextlib

import pytest

from forehearth.core.document import StoreFailed
from forehearth.core.errors import Misconfigured
from forehearth.core.secret import Secret
from forehearth.stores.postgres.documents import PostgresDocuments
from forehearth.stores.postgres.opening import open_database
from forehearth.testing.certificates import Authority
from tests.integration.stores.broken_line import Line

REQUEST = (8).to_bytes(4, "big") + (80_877_103).to_bytes(4, "big")
"""How a client asks for TLS, before all else."""


class Door(Line):
    """A line that begins with TLS, and takes nothing without it."""

    def __init__(self, socket, leaf):
        super().__init__(socket)
        self._context = leaf.server_context()
        self.secured = 0

    async def carry(self, here, back):
        if await here.readexactly(len(REQUEST)) != REQUEST:
            back.close()
            return
        back.write(b"S")
        try:
            await back.start_tls(self._context)
        except OSError:  # the client does not trust this door
            back.close()
            return
        self.secured += 1
        await super().carry(here, back)


@contextlib.asynccontextmanager
async def door_to(postgres, leaf):
    door = Door(postgres.folder / ".s.PGSQL.5432", leaf)
    async with await asyncio.start_server(door.carry, "127.0.0.1", 0) as server:
        door.port = server.sockets[0].getsockname()[1]
        yield door
        door.cut()


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("theirs"), "theirs")


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """A home without a CA in it."""
    monkeypatch.setenv("HOME", str(tmp_path))


def address(door, database, mode, bundle=None):
    trust = "" if bundle is None else f"&sslrootcert={bundle}"
    return Secret(f"postgresql://postgres:hunter2-hunter2@127.0.0.1:{door.port}/{database}?sslmode={mode}{trust}")


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_a_store_is_opened_and_used_over_tls(postgres, database, ours, mode):
    async with door_to(postgres, ours.issue("127.0.0.1")) as door:
        opened = await open_database(address(door, database, mode, ours.bundle), connections=2)
        assert await PostgresDocuments(opened).version("thing") == 0
        assert door.secured == door.opened >= 2  # the one that brought the schema, and one of the pool
        await opened.aclose()


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
async def test_a_certificate_of_another_authority_is_refused(postgres, database, ours, theirs, mode):
    async with door_to(postgres, theirs.issue("127.0.0.1")) as door:
        await refused(address(door, database, mode, ours.bundle))
        assert door.opened == 0


async def test_a_certificate_for_another_host_is_refused_where_that_is_asked_for(postgres, database, ours):
    async with door_to(postgres, ours.issue("db.example.com")) as door:
        await refused(address(door, database, "verify-full", ours.bundle))
        assert door.opened == 0
        await (await open_database(address(door, database, "verify-ca", ours.bundle), connections=1)).aclose()


async def test_a_certificate_that_has_ended_is_refused(postgres, database, ours):
    async with door_to(postgres, ours.issue("127.0.0.1", expired=True)) as door:
        await refused(address(door, database, "verify-full", ours.bundle))


async def test_nothing_is_said_in_the_clear_to_a_server_that_wants_tls(postgres, database, ours):
    async with door_to(postgres, ours.issue("127.0.0.1")) as door:
        with pytest.raises(StoreFailed):
            await open_database(address(door, database, "disable"), connections=1)
        assert door.opened == 0


async def refused(wanted):
    with pytest.raises(Misconfigured, match="certificate is not for this host, or its CA is not that of") as told:
        await open_database(wanted, connections=1)
    assert "hunter2" not in told.value.message
