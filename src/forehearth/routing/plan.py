"""Where a call may go, in which order: from what is known of a pool, and nothing else."""

import math
from collections.abc import Callable, Sequence
from operator import attrgetter
from random import Random

import msgspec

from forehearth.core.backend_state import State
from forehearth.core.call import Call
from forehearth.routing.member import Member

Strategy = Callable[[Sequence[Member], Call, float, Random], Sequence[Member]]
"""Puts the backends of one priority in order: `(members, call, now, dice)`. The call decides, the time, or chance."""

_priority = attrgetter("backend.priority")


class LeftOut(msgspec.Struct, frozen=True):
    """A backend that is not asked, and why."""

    member: Member
    state: State


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The backends to ask, one after the other, and those that are not asked."""

    order: Sequence[Member]
    left_out: Sequence[LeftOut] = ()

    def without(self, member: Member) -> "Plan":
        """The same, and that one turned out to have no room."""
        return Plan(order=self.order, left_out=[*self.left_out, LeftOut(member, State.FULL)])


class Planner:
    """Makes plans for one pool."""

    def __init__(self, members: Sequence[Member], strategy: Strategy, dice: Random) -> None:
        self._strategy = strategy
        self._dice = dice
        by_priority: dict[int, list[Member]] = {}
        for member in sorted(members, key=_priority):
            by_priority.setdefault(member.backend.priority, []).append(member)
        self._classes = tuple(by_priority.values())

    def plan(self, call: Call, tokens: int, now: float) -> Plan:
        """The plan for a call that may use so many tokens.

        Lower priorities first; within one, a backend whose ejection is over, so that it is tried; then the strategy
        decides. Those that are asked although they should be ejected come last of all.
        """
        order: list[Member] = []
        last: list[Member] = []
        left_out: list[LeftOut] = []
        for members in self._classes:
            ready: list[Member] = []
            for member in members:
                if member.capacity is None and member.health.clear:  # nearly always
                    ready.append(member)
                    continue
                state = member.state(tokens, now)
                if state is State.READY:
                    ready.append(member)
                elif state is State.DUE:
                    order.append(member)
                elif state is State.FAILING:
                    last.append(member)
                else:
                    left_out.append(LeftOut(member, state))
            order += self._strategy(ready, call, now, self._dice) if len(ready) > 1 else ready
        return Plan(order=[*order, *last], left_out=left_out)


def soonest(members: Sequence[Member], tokens: int, now: float) -> float | None:
    """Seconds until the first of them may be asked; None when one may be at once."""
    opens = min((member.opens_at(tokens, now) for member in members), default=math.inf)
    return opens - now if now < opens < math.inf else None
