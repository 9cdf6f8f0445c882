"""`weighted`: by chance, each backend as often as its weight says."""

import math
from collections.abc import Sequence
from random import Random

from forehearth.core.call import Call
from forehearth.routing.member import Member


def weighted(members: Sequence[Member], call: Call, now: float, dice: Random) -> Sequence[Member]:  # noqa: ARG001 - the strategies' shape
    """Draw them without putting back: who is drawn second is who would be drawn, were the first not there."""
    drawn = [(-math.log(1.0 - dice.random()) / member.weight, number) for number, member in enumerate(members)]
    return [members[number] for _, number in sorted(drawn)]
