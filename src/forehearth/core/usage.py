"""What a call used."""

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one call. `completion` is 0 where an operation has none (embeddings)."""

    prompt: int
    completion: int = 0
    cached: int = 0
    """How many of `prompt` came from a cache."""
    reasoning: int = 0
    """How many of `completion` were reasoning that is not shown."""
    counted: bool = False
    """Whether it was counted here, because the backend did not say."""
