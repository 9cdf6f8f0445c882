"""`priority`: in the order in which they stand in the configuration, or by weight where one of them has any."""

from collections.abc import Sequence
from random import Random

from forehearth.core.call import Call
from forehearth.routing.member import Member
from forehearth.routing.strategies.weighted import weighted


def priority(members: Sequence[Member], call: Call, now: float, dice: Random) -> Sequence[Member]:
    """Priorities are kept by every strategy; this one has nothing else to say."""
    if any(member.backend.weight is not None for member in members):
        return weighted(members, call, now, dice)
    return members
