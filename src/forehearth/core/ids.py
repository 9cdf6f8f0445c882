"""Identifiers, from a source of randomness that is passed in."""

import random
from collections.abc import Callable


def request_ids(seed: int) -> Callable[[], str]:
    """Make a source of request ids: random UUIDs (version 4) in their usual form.

    They only tell requests apart, so a fast generator will do; `seed` comes from the system's randomness.
    """
    fast = random.Random(seed).getrandbits  # noqa: S311 - a label, not a secret

    def new() -> str:
        digits = b"%032x" % fast(128)
        return (b"%b-%b-4%b-a%b-%b" % (digits[:8], digits[8:12], digits[13:16], digits[17:20], digits[20:])).decode()

    return new
