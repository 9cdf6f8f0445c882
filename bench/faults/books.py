"""The ledger that a server left behind."""

from pathlib import Path

from forehearth.core.ledger import LedgerRecord
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.ledger import SqliteLedger
from tests.unit.accounting.books import everything


async def ledger(folder: Path) -> list[LedgerRecord]:
    """All records of a server that has ended, from the folder that it was started in."""
    database = open_database(folder / "data" / "ledger.db", schema="ledger")
    try:
        return await everything(SqliteLedger(database))
    finally:
        await database.aclose()
