"""`least_busy`: the one with the fewest calls under way for its weight."""

from collections.abc import Sequence
from random import Random

from forehearth.core.call import Call
from forehearth.routing.member import Member


def least_busy(members: Sequence[Member], call: Call, now: float, dice: Random) -> Sequence[Member]:  # noqa: ARG001 - the strategies' shape
    """What they would have to do with this call among them; chance decides between equals."""
    ranked = [((member.in_flight + 1) / member.weight, dice.random(), number) for number, member in enumerate(members)]
    return [members[number] for _, _, number in sorted(ranked)]
