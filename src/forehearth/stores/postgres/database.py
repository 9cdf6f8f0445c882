"""One PostgreSQL database: a bounded pool of connections, and what becomes of it when the server is away.

Every write is one statement, and so a transaction of its own: it was committed when it is answered, and one that the
server refused changed nothing. Where the connection was lost in between, nobody knows: `StoreFailed` is uncertain then,
and nothing is written a second time here. A server that starts anew loses all connections, so after the first that is
found lost the others are not used any more either, and what only reads is asked once more on a new one. The pool makes
them as they are needed, so a server that is back is used again by itself.

What went wrong is told by its kind alone: the words of a server may repeat what it was sent.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from forehearth.core.document import StoreFailed
from forehearth.stores.postgres.driver import asyncpg
from forehearth.stores.postgres.statements import Statement

CONNECT_SECONDS: Final = 5.0
"""How long a connection is waited for: until one is made, or free."""
ANSWER_SECONDS: Final = 5.0
"""How long a statement may take. Then the server stops it, and says so."""
SILENCE_SECONDS: Final = 1.0
"""How much longer a server is waited for that says nothing at all."""
CLOSE_SECONDS: Final = 2.0
"""How long the end waits for what is in flight."""

_FAILURES: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
_LOST: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.ReadOnlySQLTransactionError,
    ConnectionError,
)
"""The connection is lost, or leads to a server that is not the primary any more."""
_OF_WHAT_WAS_SENT: Final = ("22", "23", "54")
"""Classes of errors that would come again: a fault of ours and none of the store."""
_GONE: Final = ("08", "40003", "57P")
"""Classes of errors when the connection went down, or the server: what was being written may have been carried out."""

Row = Mapping[str, Any]


class Database:
    """A pool of connections. Made by `opening.open_database`, and to be closed."""

    def __init__(self, pool: Any, patience: float) -> None:
        """`patience` is how many seconds an answer is waited for."""
        self._pool = pool
        self._patience = patience

    async def write(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[Row]:
        """Run a statement; return its rows, once they are committed. Raises `StoreFailed`.

        Cancelled, it may be carried out all the same.
        """
        with told():
            connection = await self._pool.acquire(timeout=CONNECT_SECONDS)
        with told(writing=True):
            return await self._fetched(connection, statement, values)

    async def read(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[Row]:
        """Run a statement that only reads; return its rows. Raises `StoreFailed`."""
        with told():
            try:
                return await self._read(statement, values)
            except _LOST:
                return await self._read(statement, values)

    async def aclose(self) -> None:
        """Close, once what is in flight is answered; what takes too long is cut off."""
        with contextlib.suppress(TimeoutError):  # then the pool has cut them off
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._pool.close()

    async def _read(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[Row]:
        connection = await self._pool.acquire(timeout=CONNECT_SECONDS)
        return await self._fetched(connection, statement, values)

    async def _fetched(self, connection: Any, statement: Statement, values: Mapping[str, Any]) -> Sequence[Row]:
        """The rows; the connection goes back to the pool."""
        try:
            rows: Sequence[Row] = await connection.fetch(
                statement.sql, *statement.arguments(values), timeout=self._patience
            )
        except (TimeoutError, asyncio.CancelledError):
            connection.terminate()  # to have the server stop in an orderly way would be to wait for it once more
            raise
        except _LOST:
            await self._pool.expire_connections()
            raise
        finally:
            await self._pool.release(connection)
        return rows


@contextlib.contextmanager
def told(*, writing: bool = False) -> Iterator[None]:
    """Raise what the driver raises as `StoreFailed`; `writing`, so that it may have been carried out."""
    try:
        yield
    except _FAILURES as error:
        state = getattr(error, "sqlstate", None) or ""
        if state.startswith(_OF_WHAT_WAS_SENT) or isinstance(error, ValueError):
            raise
        is_gone = not state or state.startswith(_GONE)
        verb = "does not answer" if is_gone else "refused"
        raise StoreFailed(f"the store {verb}: {type(error).__name__}", uncertain=writing and is_gone) from error
