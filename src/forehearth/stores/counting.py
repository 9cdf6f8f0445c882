"""What a counter store decides, the same in all of them: pure, on the state of one counter.

    fixed windows   a counter knows its window and how much of it is taken: leased by workers, and not given back
    shares          a counter knows how much each worker holds: of any 60 seconds, or of what is in use at the same time

A window is never one that was before: a calendar that is set back goes on counting in the later window. Minutes are
counted in time that passes, on the machine's own clock, which only a restart of the machine sets back.

A share lapses when its worker has said nothing for as long as it lasts: from then on that worker takes nothing of it,
and after the share's tail, when what it took before has ceased to count, it is free again.

Where calls wait, a demand that could not be met is remembered for a moment. Until then nobody gets what it needs who
was served more recently. So turns go round among tenants, whichever workers their calls came to.

Something may be kept free besides, for each tenant who was here lately and does not wait now: its next call then need
not wait until one of those ends who have all the rest.
"""

from collections.abc import Iterator, Mapping

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.counter import Ask, Demand, Grant
from forehearth.core.windows import Period, window_at

WANTED = 0.25
"""Seconds in which a demand that was not met is remembered; who waits asks again well before."""
LATELY = 10.0
"""Seconds after its last call in which something is kept free for a tenant."""
FORGOTTEN = 60.0
"""Seconds after which it does not matter any more who was served last."""
KEPT = 8 * 86_400.0
"""Seconds for which a window of the calendar is remembered after its end: were it forgotten at once, a clock that runs
ahead by some days and is set right would let it begin anew."""
_MINUTE = 60.0


class Share(msgspec.Struct):
    """What one worker holds."""

    held: int
    lapses: float
    tail: float


class Turn(msgspec.Struct):
    """What a tenant last wanted at one worker and did not get, and when it was last served: the higher, the later."""

    wanted: int
    until: float
    served: int


class CounterState(msgspec.Struct):
    """All that is known of one counter. One without a period has shares, and no window."""

    period: Period | None = None
    window: int = 0
    ends: int = 0
    taken: int = 0
    shares: dict[str, Share] = {}
    turns: dict[tuple[str, str], Turn] = {}
    """By tenant and worker."""


def answer(state: CounterState, ask: Ask, worker: str, clock: Clock) -> Grant:
    """What `worker` gets; `state` is changed accordingly."""
    now = clock.monotonic()
    state.turns = {key: turn for key, turn in state.turns.items() if turn.until + FORGOTTEN > now}
    state.period = ask.period
    if ask.period is None:
        share = _own_share(state, ask, worker, now)
        left, ends_in = ask.limit - sum(each.held for each in state.shares.values()), ask.lasts
    else:
        ends_in, closed = _turn_over(state, ask.period, clock)
        if ask.window == state.window:
            state.taken += ask.over - ask.given
        left = 0 if closed else ask.limit - state.taken
    waiting = _Waiting(state, ask, worker, now) if ask.waits else None
    granted, remaining = _serve(ask, left, waiting)
    others = waiting is not None and waiting.others
    kept = 0 if waiting is None else waiting.kept_from_denied
    spare = 0
    if remaining > 0 and all(granted) and not others:
        part = min(ask.spare, left // (2 * ask.workers))
        spare = min(remaining, max(0, part - sum(granted)))
    got = sum(granted) + spare
    if ask.period is None:
        share.held += got
    else:
        state.taken += got
    return Grant(
        granted=granted,
        spare=spare,
        left=left - got,
        window=state.window,
        ends_in=ends_in,
        held=share.held if ask.period is None else 0,
        kept=kept,
        others=others,
    )


def dead(state: CounterState, now: float) -> list[str]:
    """The workers whose shares count no longer."""
    return [worker for worker, share in state.shares.items() if now >= share.lapses + share.tail]


def is_over(state: CounterState, clock: Clock) -> bool:
    """Whether nothing of it counts any more: it can be forgotten."""
    now = clock.monotonic()
    if any(turn.until + FORGOTTEN > now for turn in state.turns.values()):
        return False
    if state.period is None:
        return len(dead(state, now)) == len(state.shares)
    return state.ends <= (now if state.period is Period.MINUTE else clock.unix() - KEPT)


def _turn_over(state: CounterState, period: Period, clock: Clock) -> tuple[float, bool]:
    """Begin a new window if it is time. The seconds until it ends, and whether nothing may be had until then."""
    now = clock.monotonic() if period is Period.MINUTE else clock.unix()
    window = window_at(period, now)
    if window.begins > state.window or not state.ends:
        state.window, state.ends, state.taken = window.begins, window.ends, 0
    elif window.begins < state.window and period is Period.MINUTE:
        # The machine was started anew. What was taken just before that may still count, and nobody knows when it was.
        if now < _MINUTE:
            return _MINUTE - now, True
        state.window, state.ends, state.taken = window.begins, window.ends, 0
    return state.ends - now, False


def _own_share(state: CounterState, ask: Ask, worker: str, now: float) -> Share:
    """The worker's share with what it gave back and used over it, good for a while again."""
    for gone in dead(state, now):
        del state.shares[gone]
    share = state.shares.setdefault(worker, Share(0, 0.0, 0.0))
    share.held = max(0, share.held - ask.given) + ask.over
    share.lapses, share.tail = now + ask.lasts, ask.tail
    return share


def _serve(ask: Ask, left: int, waiting: "_Waiting | None") -> tuple[tuple[int, ...], int]:
    """What each demand gets, and what is left after that."""
    granted = []
    for demand in ask.demands:
        room = left if waiting is None else waiting.room(demand, left)
        got = demand.need if room >= demand.need else room if room >= demand.least else 0
        granted.append(got)
        left -= got
        if waiting is not None:
            waiting.went(demand, got)
    return tuple(granted), left


class _Waiting:
    """Whose turn it is: of those who wait, here and at other workers."""

    def __init__(self, state: CounterState, ask: Ask, worker: str, now: float) -> None:
        self._state = state
        self._worker = worker
        self._now = now
        self._kept = ask.kept
        self._lately: set[str] = set()
        self._served: dict[str, int] = {}
        self._wanted: dict[str, int] = {}
        self.others = False
        self.kept_from_denied = 0
        """What was kept free from a demand that was not met."""
        for (tenant, where), turn in state.turns.items():
            self._served[tenant] = max(turn.served, self._served.get(tenant, 0))
            if turn.served and now - turn.until < LATELY:
                self._lately.add(tenant)
            if where != worker and turn.wanted and turn.until > now:
                self._wanted[tenant] = max(turn.wanted, self._wanted.get(tenant, 0))
                self.others = True
        self._elsewhere: Mapping[str, int] = dict(self._wanted)
        self._last = max(self._served.values(), default=0)
        self._blocked: set[str] = set()
        self._ahead: dict[str, list[int]] = {}
        for demand in ask.demands:
            self._ahead.setdefault(demand.tenant, []).append(demand.need)
        for tenant in self._ahead:
            if (mine := state.turns.get((tenant, worker))) is not None:
                mine.wanted = 0
            self._note(tenant)

    def room(self, demand: Demand, left: int) -> int:
        """What there is for a demand beside what is set aside for tenants who were served longer ago, and kept free."""
        if demand.tenant in self._blocked:
            return 0
        since = self._served.get(demand.tenant, 0)
        aside = sum(
            wanted
            for tenant, wanted in self._wanted.items()
            if tenant != demand.tenant and self._served.get(tenant, 0) < since
        )
        return left - aside - self._kept_free()

    def _kept_free(self) -> int:
        """One for each tenant who was here lately and wants nothing now."""
        if not self._kept:
            return 0
        return min(self._kept, len(self._lately - self._wanted.keys()))

    def went(self, demand: Demand, got: int) -> None:
        """A demand was met, or it was not."""
        tenant = demand.tenant
        turn = self._state.turns.setdefault((tenant, self._worker), Turn(0, self._now, 0))
        if not got:
            if tenant not in self._blocked:
                self.kept_from_denied = max(self.kept_from_denied, self._kept_free())
                self._blocked.add(tenant)
                turn.wanted, turn.until = demand.need, self._now + WANTED
            return
        self._last += 1
        self._served[tenant] = turn.served = self._last
        turn.until = max(turn.until, self._now)
        self._ahead[tenant].pop(0)
        self._note(tenant)

    def _note(self, tenant: str) -> None:
        """What the tenant wants next, here or elsewhere."""
        next_here: Iterator[int] = iter(self._ahead[tenant])
        wanted = max(next(next_here, 0), self._elsewhere.get(tenant, 0))
        if wanted:
            self._wanted[tenant] = wanted
        else:
            self._wanted.pop(tenant, None)
