"""The rows of somebody's query, from a database that is not ours: read in one snapshot, and nothing is written."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec

from forehearth.core.errors import Misconfigured
from forehearth.core.secret import Secret
from forehearth.stores.postgres.driver import asyncpg

_CONNECT_SECONDS: Final = 10
_AT_ONCE: Final = 2_000


class ColumnOf(msgspec.Struct, frozen=True, kw_only=True):
    """A column: its name, and the name of its type as PostgreSQL has it."""

    name: str
    type: str


async def rows_of(address: Secret, query: str) -> AsyncIterator[tuple[Sequence[ColumnOf], Sequence[Sequence[Any]]]]:
    """The columns, with some rows each time; once without any where there are none. Raises `Misconfigured`."""
    try:
        connection = await asyncpg.connect(
            address.reveal(), timeout=_CONNECT_SECONDS, server_settings={"application_name": "forehearth enrich"}
        )
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Misconfigured(f"source: the database cannot be reached: {_said(error)}") from error
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            statement = await connection.prepare(query)
            columns = [ColumnOf(name=each.name, type=each.type.name) for each in statement.get_attributes()]
            cursor = await statement.cursor()
            some = [tuple(row) for row in await cursor.fetch(_AT_ONCE)]
            yield columns, some
            while some:
                some = [tuple(row) for row in await cursor.fetch(_AT_ONCE)]
                yield columns, some
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Misconfigured(f"source: the query cannot be carried out: {_said(error)}") from error
    finally:
        connection.terminate()


def _said(error: Exception) -> str:
    """What the server says of a query; of anything else the kind alone, as it may have the address in it."""
    if isinstance(error, asyncpg.PostgresError):
        return " ".join(str(error).split())[:300]
    return type(error).__name__
