"""`least_latency`: the one that is expected to begin its answer soonest."""

from collections.abc import Sequence
from random import Random

from forehearth.core.call import Call
from forehearth.routing.member import Member


def least_latency(members: Sequence[Member], call: Call, now: float, dice: Random) -> Sequence[Member]:
    """By what is known of calls of this kind, streams or whole answers, times the calls that are there already.

    Who is not known yet is tried by one call, and until that is answered taken to be as quick as the quickest. What is
    known of a slow one wears off, so that it is tried again one day.
    """
    expected = [member.latency(stream=call.stream).expected(now) for member in members]
    quickest = min((seconds for seconds in expected if seconds is not None), default=1.0)

    def rank(member: Member, seconds: float | None) -> float:
        if seconds is None:
            seconds = quickest if member.in_flight else 0.0
        return seconds * (member.in_flight + 1) / member.weight

    ranked = [
        (rank(member, seconds), dice.random(), number)
        for number, (member, seconds) in enumerate(zip(members, expected, strict=True))
    ]
    return [members[number] for *_, number in sorted(ranked)]
