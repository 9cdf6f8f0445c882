"""The members of request bodies that the gateway itself reads.

Members that every backend of an operation types alike are typed here too, so that a wrong type is named before a
backend is troubled, whichever it is.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from forehearth.core.call import Operation

Tokens = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Choices = Annotated[int, msgspec.Meta(ge=1, le=128)]


class Members(msgspec.Struct, kw_only=True):
    """Of all operations."""

    model: str | msgspec.UnsetType | None = msgspec.UNSET
    stream: bool | None = None


class Message(msgspec.Struct):
    """One message of a chat."""

    role: str


class StreamOptions(msgspec.Struct):
    """What a stream is to end with."""

    include_usage: bool | None = None


class Sampled(Members, kw_only=True):
    """Of the operations that make text."""

    max_tokens: Tokens | msgspec.UnsetType | None = msgspec.UNSET
    max_completion_tokens: Tokens | msgspec.UnsetType | None = msgspec.UNSET
    n: Choices | None = None
    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stream_options: StreamOptions | msgspec.UnsetType | None = msgspec.UNSET


class Chat(Sampled, kw_only=True):
    """Of a chat completion."""

    messages: Annotated[list[Message], msgspec.Meta(min_length=1)]
    store: bool | None = None


class Labels(msgspec.Struct):
    """What a stored answer is labelled with; read where an answer is to be stored."""

    metadata: Any = None


class Completions(Sampled, kw_only=True):
    """Of a text completion."""

    prompt: str | list[str | int | list[int]] | msgspec.UnsetType | None = msgspec.UNSET
    best_of: Choices | None = None


class Embeddings(Members, kw_only=True):
    """Of embeddings."""

    input: str | list[str | int | list[int]]
    dimensions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    encoding_format: str | None = None


MEMBERS: Mapping[Operation, type[Members]] = {
    Operation.CHAT: Chat,
    Operation.COMPLETIONS: Completions,
    Operation.EMBEDDINGS: Embeddings,
}
"""What the gateway itself reads of each operation's body."""
DECODERS: dict[Operation, msgspec.json.Decoder[Members]] = {
    operation: msgspec.json.Decoder(members) for operation, members in MEMBERS.items()
}
"""What reads them."""
