"""Writes documents until it is ended, and tells each that was acknowledged: `python -m …writer FILE NAME COUNT`."""

import asyncio
import sys
from pathlib import Path

from forehearth.core.document import Document
from forehearth.core.place import Place
from forehearth.stores.sqlite.database import open_database
from forehearth.stores.sqlite.documents import SqliteDocuments


async def main(file: str, name: str, count: int) -> None:
    database = open_database(Path(file))
    documents = SqliteDocuments(database)
    place = Place(resource="here")

    async def write(number: int) -> None:
        document = Document(place=place, kind="thing", id=f"{name}-{number}", created=0, updated=0, body=b"{}")
        await documents.insert(document)
        sys.stdout.write(f"{document.id}\n")
        sys.stdout.flush()

    for start in range(0, count, 20):
        await asyncio.gather(*map(write, range(start, min(start + 20, count))))
    await database.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
