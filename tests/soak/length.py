"""How much of the long tier is run: SOAK_MINUTES says how long it may take, and counts and times follow it."""

import os

from scripts.soak import USUAL_MINUTES

SHARE = float(os.environ.get("SOAK_MINUTES", USUAL_MINUTES)) / USUAL_MINUTES


def part(count: float, *, least: int = 1) -> int:
    """The share of a count, or of seconds, that this run is for."""
    return max(least, round(count * SHARE))
