"""The chat completions that are stored in a place: kept, listed, changed, removed."""

from collections.abc import Mapping
from typing import Any

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.document import Document
from forehearth.core.errors import Conflict, InvalidField, NotFound
from forehearth.core.place import Place
from forehearth.dialects.json_members import insert_first
from forehearth.dialects.wrong_members import shown
from forehearth.documents.parts import page
from forehearth.documents.repository import Documents, Listing, Order
from forehearth.ports.documents import DocumentStore

KIND = "chat_completion"
LARGEST = 4 * 1024 * 1024
"""Bytes of an answer and its messages that are kept together."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one: the answer without its metadata, and the messages that it answers, as they came."""

    completion: msgspec.Raw
    messages: msgspec.Raw


class StoredCompletions:
    """Those of every place."""

    def __init__(self, store: DocumentStore, *, clock: Clock) -> None:
        self._documents = Documents(store, KIND, new_id=_none, clock=clock)

    async def keep(
        self, place: Place, completion: dict[str, Any], messages: bytes, metadata: Mapping[str, str]
    ) -> None:
        """Store an answer under its own id, in the place of one with the same id: that one came from a cache.

        Raises `InvalidField` for an answer that cannot be kept.
        """
        name, model = completion.get("id"), completion.get("model")
        if not isinstance(name, str) or not name or not isinstance(model, str):
            raise InvalidField("The answer has no id, or no model.")
        rest = msgspec.json.encode({key: value for key, value in completion.items() if key != "metadata"})
        if len(rest) + len(messages) > LARGEST:
            raise InvalidField(f"The answer and its messages have more than {LARGEST} bytes together.")
        body = msgspec.json.encode(Kept(completion=msgspec.Raw(rest), messages=msgspec.Raw(messages)))
        try:
            await self._documents.create(place, body, id=name, parent=model, metadata=metadata)
        except Conflict:
            before = await self._documents.get(place, name)
            changed = msgspec.structs.replace(before, parent=model, metadata=metadata, body=body)
            await self._documents.update(changed)

    async def get(self, place: Place, completion: str) -> Document:
        """One of them. Raises `NotFound`."""
        try:
            return await self._documents.get(place, completion)
        except NotFound:
            raise _missing(completion) from None

    async def list(self, place: Place, order: Order, *, model: str | None, metadata: Mapping[str, str]) -> Listing:
        """Those with that model and metadata. Raises `InvalidField`, and `Conflict` where one was removed meanwhile."""
        return await page(self._documents, place, order, parent=model, metadata=metadata)

    async def update(self, place: Place, completion: str, metadata: Mapping[str, str]) -> Document:
        """Put other metadata in the place of what it had. Raises `NotFound`."""
        before = await self.get(place, completion)
        try:
            return await self._documents.update(msgspec.structs.replace(before, metadata=metadata))
        except NotFound:
            raise _missing(completion) from None

    async def delete(self, place: Place, completion: str) -> None:
        """Remove it. Raises `NotFound`."""
        try:
            await self._documents.delete(place, completion)
        except NotFound:
            raise _missing(completion) from None


def answer(document: Document) -> bytes:
    """The completion as it is shown."""
    kept = msgspec.json.decode(document.body, type=Kept)
    return insert_first(bytes(kept.completion), "metadata", msgspec.json.encode(document.metadata))


def messages(document: Document) -> list[dict[str, Any]]:
    """The messages that it answers, as they are shown: each with an id, and its parts apart from its text."""
    kept = msgspec.json.decode(document.body, type=Kept)
    given = msgspec.json.decode(kept.messages, type=list[dict[str, Any]])
    return [_message(f"{document.id}-{number}", each) for number, each in enumerate(given)]


def _message(name: str, given: dict[str, Any]) -> dict[str, Any]:
    content = given.get("content")
    apart = {"content": None, "content_parts": content} if isinstance(content, list) else {"content_parts": None}
    return {"content": None, "refusal": None, "name": None} | given | apart | {"id": name}


def _missing(completion: str) -> NotFound:
    return NotFound(f"Chat completion with id '{shown(completion)}' not found.")


def _none() -> str:
    """Answers bring their ids with them."""
    raise AssertionError
