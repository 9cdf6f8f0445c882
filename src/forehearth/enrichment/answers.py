"""What became of a prompt: an answer, or why there is none; and where answers are kept for the next time."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from forehearth.core.usage import Usage


class RowError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a row has no answer. `code` is one of the words of docs/reference/enrichment.md."""

    code: str
    message: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the model said, or why there is nothing that can be used."""

    text: str | None = None
    error: RowError | None = None
    model: str = ""
    """The model that the host says has answered."""
    usage: Usage | None = None
    """All that the row used, the repair included; None where the host did not say."""
    unix: float = 0.0
    """When it was answered."""


class AnswerCache(Protocol):
    """Answers that were paid for. Only usable ones are kept."""

    async def find(self, prompts: Sequence[bytes]) -> Mapping[bytes, Answer]:
        """Those of these prompts, by their hashes, that are known."""
        ...

    async def keep(self, answers: Mapping[bytes, Answer]) -> None:
        """Keep these, so that the end of this process loses none of them."""
        ...


class NoCache:
    """Keeps nothing: for tables that are enriched in memory."""

    async def find(self, prompts: Sequence[bytes]) -> Mapping[bytes, Answer]:
        """See `AnswerCache`."""
        del prompts
        return {}

    async def keep(self, answers: Mapping[bytes, Answer]) -> None:
        """See `AnswerCache`."""
