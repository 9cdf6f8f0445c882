"""Byte strings put together from a grammar's own words, so that most of them are nearly right."""

import random
from collections.abc import Sequence


def words(dice: random.Random, vocabulary: Sequence[bytes], most: int) -> bytes:
    """Up to `most` words one after the other."""
    return b"".join(dice.choices(vocabulary, k=dice.randrange(most + 1)))
