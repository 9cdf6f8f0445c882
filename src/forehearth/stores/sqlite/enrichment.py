"""What a job of enrichment keeps in SQLite, beside its file: its runs, and the answers that were paid for.

Values are bytes and text that only who keeps them can read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import apsw

from forehearth.stores.queries import queries
from forehearth.stores.sqlite.database import Database

_SQL = queries("sqlite", "enrichment")


class SqliteEnrichment:
    """One job's file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def answers(self, prompts: Sequence[bytes]) -> dict[bytes, bytes]:
        """Those of these prompts that have an answer."""

        def work(connection: apsw.Connection) -> dict[bytes, bytes]:
            found: dict[bytes, bytes] = {}
            for prompt in prompts:
                row = connection.execute(_SQL["answer"], (prompt,)).fetchone()
                if row is not None:
                    found[prompt] = bytes(row[0])
            return found

        return await self._database.read(work)

    async def keep(self, answers: Mapping[bytes, bytes], run: tuple[str, str, str] | None = None) -> None:
        """Keep answers and, in the same transaction, what is now true of a run: its id, fingerprint and text."""

        def work(connection: apsw.Connection) -> None:
            if answers:
                connection.executemany(_SQL["keep_answer"], answers.items())
            if run is not None:
                values = {"id": run[0], "fingerprint": run[1], "run": run[2]}
                connection.execute(_SQL["keep_run"], values).fetchall()

        await self._database.write(work)

    async def last_run(self, fingerprint: str | None = None) -> str | None:
        """The run that was begun last, of a fingerprint or of all."""

        def work(connection: apsw.Connection) -> str | None:
            name = "last_run" if fingerprint is None else "last_run_of"
            values = {} if fingerprint is None else {"fingerprint": fingerprint}
            row: Any = connection.execute(_SQL[name], values).fetchone()
            return None if row is None else str(row[0])

        return await self._database.read(work)

    async def wish(self, run: str, wish: str) -> None:
        """Ask a run for something."""
        await self._database.write(lambda at: at.execute(_SQL["wish"], {"run": run, "wish": wish}).fetchall())

    async def wished(self, run: str) -> str | None:
        """What a run is asked for."""
        rows: Any = await self._database.read(lambda at: at.execute(_SQL["wished"], {"run": run}).fetchall())
        return str(rows[0][0]) if rows else None

    async def grant(self, run: str) -> None:
        """Forget what it is asked for: it was heard."""
        await self._database.write(lambda at: at.execute(_SQL["grant"], {"run": run}).fetchall())
