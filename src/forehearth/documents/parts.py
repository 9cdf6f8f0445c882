"""Long lists, some documents at a time: a page is bounded in bytes, whatever its documents have."""

from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from forehearth.core.document import Document
from forehearth.core.errors import Conflict, InvalidField
from forehearth.core.place import Place
from forehearth.documents.repository import Documents, Listing, Order

SLICE = 20
"""Documents that are read from the store at once, however long the page: each may have megabytes."""
PAGE_BYTES = 16 * 1024 * 1024
"""When a page has so many bytes, it ends, and says that there are more."""


async def parts(
    documents: Documents,
    place: Place,
    order: Order,
    *,
    parent: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> AsyncIterator[Listing]:
    """Everything from where the order begins, in slices, however many it asks for.

    Raises `InvalidField` for a page that cannot be, and `Conflict` where the document at which they go on was removed
    meanwhile.
    """
    part = msgspec.structs.replace(order, limit=min(SLICE, order.limit))
    found = await documents.list(place, part, parent=parent, metadata=metadata)
    yield found
    while found.has_more:
        part = msgspec.structs.replace(part, after=found.last_id)
        try:
            found = await documents.list(place, part, parent=parent, metadata=metadata)
        except InvalidField:
            raise Conflict("The list was changed while it was read: try again.") from None
        yield found


async def page(
    documents: Documents,
    place: Place,
    order: Order,
    *,
    parent: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Listing:
    """As many as asked for, unless they are large, or fewer are there. Raises as `parts` does."""
    listed: list[Document] = []
    total, has_more = 0, False
    async for part in parts(documents, place, order, parent=parent, metadata=metadata):
        listed += part.documents
        total, has_more = total + size(part.documents), part.has_more
        if len(listed) >= order.limit or total >= PAGE_BYTES:
            break
    return Listing(documents=tuple(listed[: order.limit]), has_more=has_more or len(listed) > order.limit)


def size(listed: Sequence[Document]) -> int:
    """Bytes of their bodies."""
    return sum(len(each.body) for each in listed)
