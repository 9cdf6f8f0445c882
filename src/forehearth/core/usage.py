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


def together(first: Usage | None, second: Usage | None) -> Usage | None:
    """What two calls used; None where it is known of neither."""
    if first is None or second is None:
        return first or second
    return Usage(
        prompt=first.prompt + second.prompt,
        completion=first.completion + second.completion,
        cached=first.cached + second.cached,
        reasoning=first.reasoning + second.reasoning,
        counted=first.counted or second.counted,
    )
