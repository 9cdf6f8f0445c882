"""The nouns of a connector's forms: a field, and an action with its fields."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

OperationName = Literal["chat", "embeddings", "responses", "images", "transcription"]
Visibility = Literal["important", "advanced"]

TEXT: Final = {"type": "string"}


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a form, or of an answer."""

    name: str
    title: str
    """Title case, as the designers show it."""
    about: str
    visibility: Visibility | None = None
    needed: bool | None = None
    """None where the surface's description says it."""
    schema: Mapping[str, Any] = {}
    """What is narrower than the description, or missing in it."""
    members: tuple["Member", ...] = ()
    """Of an object, or of each object in a list."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """An action that a flow can have."""

    name: OperationName
    path: str
    """Below `/openai/v1`."""
    operation_id: str
    summary: str
    about: str
    asks: tuple[Member, ...]
    """Besides `model`. Where the operation reads a form, each is one of its fields."""
    answers: tuple[Member, ...]
