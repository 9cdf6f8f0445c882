"""Identifiers, from a source of randomness that is passed in."""

import random
from collections.abc import Callable

from forehearth.core.clock import Clock


def request_ids(seed: int, clock: Clock) -> Callable[[], str]:
    """Make a source of request ids: UUIDs of version 7 in their usual form, which begin with the time.

    So what is kept of requests by their ids is kept in the order in which it comes, and an index of them grows at its
    end. They only tell requests apart, so a fast generator will do; `seed` comes from the system's randomness.
    """
    fast = random.Random(seed).getrandbits  # noqa: S311 - a label, not a secret
    unix = clock.unix

    def new() -> str:
        moment, digits = b"%012x" % int(unix() * 1_000), b"%018x" % fast(72)
        return (b"%b-%b-7%b-a%b-%b" % (moment[:8], moment[8:], digits[:3], digits[3:6], digits[6:])).decode()

    return new
