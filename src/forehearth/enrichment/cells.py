"""What becomes of an answer: the columns that it fills, and the values in them."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from forehearth.enrichment.answer_schema import AnswerSchema
from forehearth.enrichment.arrow import pa


class Cells(msgspec.Struct, frozen=True, kw_only=True):
    """The columns with their Arrow types, and what reads their values, in this order, from the text of an answer.

    It raises `Misfit` for one that does not fit.
    """

    columns: Mapping[str, Any]
    read: Callable[[str], Sequence[Any]]

    def named(self, name: str) -> "Cells":
        """The same of its only column, under another name."""
        (kind,) = self.columns.values()
        return Cells(columns={name: kind}, read=self.read)


def whole(name: str) -> Cells:
    """One column with the text as it is."""
    return Cells(columns={name: pa.string()}, read=lambda text: (text,))


def members(schema: AnswerSchema) -> Cells:
    """A column for each member of an object."""

    def read(text: str) -> Sequence[Any]:
        found = schema.read(text)
        return [found.get(name) for name in schema.columns]

    return Cells(columns=schema.columns, read=read)


def vector(name: str) -> Cells:
    """One column with vectors."""
    return Cells(columns={name: pa.list_(pa.float32())}, read=lambda text: (numbers(text),))


def numbers(text: str) -> Any:
    """The numbers of a vector, as `embedding` has them in the text of an answer. Raises `ValueError`."""
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float32)
