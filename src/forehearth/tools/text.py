"""What a tool says, within bounds."""

from typing import Final

MOST_CHARACTERS: Final = 256 * 1024
"""Characters of a result that a model is given."""


def cut(text: str) -> str:
    """`text`, or as much of it as is taken, which it then says."""
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:MOST_CHARACTERS]}\n[cut: {len(text) - MOST_CHARACTERS} more characters]"
