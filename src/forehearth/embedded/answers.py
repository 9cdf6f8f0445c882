"""What chat and completions answers have in common: where they come from, their parts, and what they used."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final, TypeVar

import msgspec

from forehearth.core.usage import Usage
from forehearth.embedded.generation import SaidLogprob
from forehearth.embedded.gguf import GgufHead
from forehearth.embedded.tools import CallPart

Part = TypeVar("Part")

_NEVER_SAID: Final = False
"""The engine's word for a token that is ruled out."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What every object of one answer says of it."""

    id: str
    created: int
    """Unix seconds."""
    model: str
    """As the caller named it."""
    fingerprint: str

    def object(self, kind: str) -> dict[str, Any]:
        """The members that each object of `kind` begins with."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
        }


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A part of one choice: text, a part of a call, or the end. The first part of a choice is empty."""

    text: str = ""
    call: CallPart | None = None
    logprobs: tuple[SaidLogprob, ...] = ()
    finish: str | None = None
    usage: Usage | None = None


def usage_object(usage: Usage) -> dict[str, Any]:
    """The engine's count, as the dialect puts it. What this engine does not do is zero."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def silenced(biases: Sequence[list[Any]], head: GgufHead) -> list[list[Any]]:
    """`biases`, and every token ruled out that a grammar would take for text although nothing of it is printed."""
    return [*biases, *([token, _NEVER_SAID] for token in head.silent_tokens)]


async def chained(first: Part, rest: AsyncGenerator[Part, None]) -> AsyncGenerator[Part, None]:
    """`first`, then `rest`."""
    yield first
    async for part in rest:
        yield part
