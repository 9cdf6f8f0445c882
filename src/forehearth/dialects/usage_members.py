"""The members of replies in which hosts say what a call used."""

from typing import Annotated

import msgspec

Tokens = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
"""What a call can have used. A host that reports anything else has reported nothing: it would spoil every sum."""


class Details(msgspec.Struct):
    """Which of the tokens were cached, or spent on reasoning."""

    cached_tokens: Tokens | None = None
    reasoning_tokens: Tokens | None = None


class Counts(msgspec.Struct):
    """Of a completion or embeddings."""

    prompt_tokens: Tokens
    completion_tokens: Tokens | None = None
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Details | None = None


class ResponseCounts(msgspec.Struct):
    """Of a response."""

    input_tokens: Tokens
    output_tokens: Tokens | None = None
    input_tokens_details: Details | None = None
    output_tokens_details: Details | None = None


class Body(msgspec.Struct):
    """A completion, or embeddings."""

    usage: Counts | None = None


class Response(msgspec.Struct):
    """A response of the Responses API."""

    usage: ResponseCounts | None = None


class ResponseEvent(msgspec.Struct):
    """One of the events of its stream."""

    response: Response | None = None
