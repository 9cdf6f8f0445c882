"""Opens a PostgreSQL database, and brings it to the newest schema."""

import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from forehearth.core.errors import Misconfigured
from forehearth.core.secret import Secret
from forehearth.stores.postgres.audit import PostgresAudit
from forehearth.stores.postgres.database import (
    ANSWER_SECONDS,
    CLOSE_SECONDS,
    CONNECT_SECONDS,
    SILENCE_SECONDS,
    Database,
    told,
)
from forehearth.stores.postgres.documents import PostgresDocuments
from forehearth.stores.postgres.driver import asyncpg
from forehearth.stores.postgres.jobs import PostgresJobs
from forehearth.stores.postgres.statements import statements
from forehearth.stores.queries import migrations, missing

OLDEST: Final = 15
"""The oldest major release that is taken."""
_MIGRATING: Final = {"lock_timeout": "60s", "statement_timeout": "0"}
"""So long a server waits for another that changes the schema, before it asks anew. A change takes what it takes."""
_SESSION: Final = {
    "application_name": "forehearth",
    "search_path": "forehearth",
    "default_transaction_isolation": "read committed",
    "jit": "off",
}
_SQL = statements("schema")


@contextlib.asynccontextmanager
async def opened(
    address: Secret, *, connections: int
) -> AsyncIterator[tuple[PostgresDocuments, PostgresAudit, PostgresJobs]]:
    """The stores in a database, which is closed in the end. Raises as `open_database` does."""
    database = await open_database(address, connections=connections)
    try:
        yield PostgresDocuments(database), PostgresAudit(database), PostgresJobs(database)
    finally:
        await database.aclose()


async def open_database(address: Secret, *, connections: int, answer_seconds: float = ANSWER_SECONDS) -> Database:
    """Open the database at a URL, with so many connections at most, and bring it to the newest schema.

    Raises `Misconfigured` when it cannot be used, and `StoreFailed` when the server is away.
    """
    _require_files(address)
    with told(), _usable():
        connection = await asyncpg.connect(
            address.reveal(), timeout=CONNECT_SECONDS, server_settings=_SESSION | _MIGRATING
        )
        try:
            await _check(connection)
            async with connection.transaction():
                await _migrate(connection)
            await connection.close(timeout=CLOSE_SECONDS)
        finally:
            connection.terminate()
        pool = await asyncpg.create_pool(
            address.reveal(),
            min_size=0,
            max_size=connections,
            timeout=CONNECT_SECONDS,
            server_settings=_SESSION | {"statement_timeout": f"{1000 * answer_seconds:.0f}"},
            reset=_as_it_is,
        )
    return Database(pool, answer_seconds + SILENCE_SECONDS)


def _require_files(address: Secret) -> None:
    """To the driver, a file that is missing and a socket that is missing are the same."""
    named = parse_qs(urlsplit(address.reveal()).query)
    for name in ("sslrootcert", "sslcert", "sslkey", "sslcrl"):
        if name in named and not os.access(named[name][-1], os.R_OK):
            raise Misconfigured(f"store.postgres: {name} names a file that cannot be read")


async def _check(connection: Any) -> None:
    version = connection.get_server_version()
    if version.major < OLDEST:
        raise Misconfigured(f"PostgreSQL {OLDEST} or newer is needed, and this is {version.major}.{version.minor}")
    encoding = connection.get_settings().server_encoding
    if encoding != "UTF8":
        raise Misconfigured(f"the database of the store is {encoding}: make one with ENCODING 'UTF8'")


async def _migrate(connection: Any) -> None:
    """Apply what is missing, in one transaction with its lock. Whoever comes second finds it done."""
    await connection.execute(_SQL["lock"].sql)
    there = await connection.fetchrow(_SQL["look"].sql)
    if not there["has_schema"]:
        await connection.execute(_SQL["make_schema"].sql)
    if not there["has_migrations"]:
        await connection.execute(_SQL["make_migrations"].sql)
    applied = {row["number"]: row["digest"] for row in await connection.fetch(_SQL["applied"].sql)}
    for each in missing(migrations("postgres"), applied):
        await connection.execute(each.sql)
        await connection.execute(_SQL["note"].sql, each.number, each.digest)


async def _as_it_is(_: Any) -> None:
    """A connection goes back to the pool as it is: nothing here leaves anything behind in one."""


@contextlib.contextmanager
def _usable() -> Iterator[None]:
    """Raise `Misconfigured` for what does not mend itself. What the driver says may have parts of the address in it."""
    try:
        yield
    except asyncpg.InvalidAuthorizationSpecificationError:
        raise Misconfigured("store.postgres: the server refuses this user or password") from None
    except asyncpg.InvalidCatalogNameError:
        raise Misconfigured("store.postgres: the server has no such database: make it with CREATE DATABASE") from None
    except asyncpg.InsufficientPrivilegeError:
        raise Misconfigured(
            "store.postgres: the user may not make what is kept there: GRANT CREATE ON DATABASE … TO …"
        ) from None
    except asyncpg.SyntaxOrAccessError as error:
        raise Misconfigured(
            f"store.postgres: the schema 'forehearth' of this database is not ours ({type(error).__name__})"
        ) from None
    except ssl.SSLCertVerificationError:
        raise Misconfigured(
            "store.postgres: the server's certificate is not for this host, or its CA is not that of sslrootcert=FILE"
        ) from None
    except ValueError as error:
        if "root certificate" in str(error):
            raise Misconfigured(
                "store.postgres: there is no CA to check the server's certificate with: name it with sslrootcert=FILE"
            ) from None
        raise Misconfigured(
            "store.postgres: this is not postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with signs such as @ / # ? "
            "in the password as %40 %2F %23 %3F"
        ) from None
    except ConnectionError as error:
        if type(error) is not ConnectionError or "SSL" not in str(error):
            raise
        raise Misconfigured("store.postgres: sslmode asks for TLS, which the server does not have") from None
