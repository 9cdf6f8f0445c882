"""Writes documents until it is ended, and tells each that was acknowledged: `python -m …writer STORE NAME COUNT`."""

import asyncio
import sys

from forehearth.core.document import Document
from forehearth.core.place import Place
from tests.integration.stores.opened import opened


async def main(store: str, name: str, count: int) -> None:
    place = Place(resource="here")
    async with opened(store) as (documents, _):

        async def write(number: int) -> None:
            document = Document(place=place, kind="thing", id=f"{name}-{number}", created=0, updated=0, body=b"{}")
            await documents.insert(document)
            sys.stdout.write(f"{document.id}\n")
            sys.stdout.flush()

        for start in range(0, count, 20):
            await asyncio.gather(*map(write, range(start, min(start + 20, count))))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
