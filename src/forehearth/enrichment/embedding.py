"""Asks a model host for the vector of one text: as `asking` does, by the other operation.

A vector is an answer like any other, its text being the base64 of its numbers (32-bit floats, the least byte first).
"""

import base64
import struct
from typing import ClassVar, Final

import msgspec

from forehearth.core.call import Operation
from forehearth.core.usage import Usage
from forehearth.enrichment.answers import Answer
from forehearth.enrichment.asking import Asker
from forehearth.enrichment.cells import numbers
from forehearth.enrichment.spec import Spec


class _Vector(msgspec.Struct):
    embedding: str | list[float]


class _Reply(msgspec.Struct):
    data: list[_Vector]
    model: str = ""


_reply: Final = msgspec.json.Decoder(_Reply)


class EmbeddingAsker(Asker):
    """Asks for vectors. Of its spec it takes the model and the options."""

    operation: ClassVar = Operation.EMBEDDINGS

    def _opening(self, spec: Spec) -> bytes:
        return msgspec.json.encode(spec.request())[:-1] + b',"input":'

    async def ask(self, prompt: str) -> Answer:
        """The vector of a text. Raises `RunStopped` and `LimitReached`."""
        return self._noted(await self._said(self._head + msgspec.json.encode(prompt) + b"}"))

    def _heard(self, body: bytes, used: Usage | None, unix: float) -> Answer:
        reply = _reply.decode(body)
        if len(reply.data) != 1:
            raise msgspec.ValidationError("one vector was asked for")
        vector = reply.data[0].embedding
        if isinstance(vector, list):  # a host that does not know the encoding
            vector = base64.b64encode(_packed(vector)).decode()
        if not _is_vector(vector):
            raise msgspec.ValidationError("the vector cannot be read")
        return Answer(text=vector, model=reply.model, usage=used, unix=unix)


def asker_of(spec: Spec) -> type[Asker]:
    """Who asks by a spec: for answers, or for vectors."""
    return EmbeddingAsker if spec.embeds else Asker


def _packed(vector: list[float]) -> bytes:
    try:
        return struct.pack(f"<{len(vector)}f", *vector)
    except OverflowError:
        raise msgspec.ValidationError("the vector has a number that is too large") from None


def _is_vector(text: str) -> bool:
    try:
        return bool(numbers(text).size)
    except ValueError:
        return False
