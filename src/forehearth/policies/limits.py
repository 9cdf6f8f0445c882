"""Holds calls against limits: what a call may use is reserved before it, and what it did use is settled at its end.

Nearly always all that is a few look-ups in memory. Where a lease is used up the store is asked; where that has nothing
left either, the prompt is counted instead of bounded, and an answer that the caller set no bound to is made as short as
what is left; then the call waits, if the limit lets it, and is refused otherwise.
"""

import math
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from forehearth.accounting.bounds import Bounds
from forehearth.accounting.budgets import Budget, Held, Reservation
from forehearth.accounting.counted import Denied, Hold
from forehearth.accounting.leases import Lease, Leases
from forehearth.accounting.limit_headers import headers, refusal
from forehearth.accounting.tokens import TokenBounds
from forehearth.core.call import Call
from forehearth.core.counter import Demand
from forehearth.core.document import StoreFailed
from forehearth.core.errors import ForehearthError, LimitsUnchecked
from forehearth.core.exchange import Reply
from forehearth.core.record import Touched
from forehearth.policies.onion import Proceed
from forehearth.policies.standing import Applying, LimitsOf, Standing
from forehearth.ports.limit_meter import LimitMeter

_NAME = "limits"
_ROUNDS = 5
"""How often what was taken while waiting for something else is taken anew, because it counts no longer."""
_STORE_AGAIN = 1.0
_REMEMBERED = 4_096
"""Callers of a deployment whose standing is remembered."""
_RATES = b"x-ratelimit-"


class HoldToLimits:
    """A policy: the limits of one deployment's calls."""

    def __init__(
        self, deployment: str, limits: LimitsOf, *, tokens: TokenBounds, leases: Leases, meter: LimitMeter
    ) -> None:
        self._deployment = deployment
        self._limits = limits
        self._tokens = tokens
        self._leases = leases
        self._now = leases.clock.monotonic
        self._meter = meter
        self._exceeded = meter.exceeded
        self._applying: dict[tuple[str, str], Applying] = {}
        self._standings: dict[tuple[int, str], Standing] = {}
        """Of callers and projects; a caller is known by being the very same object, which it is as long as it calls."""

    async def __call__(self, call: Call, proceed: Proceed) -> Reply:
        """Reserve, pass on, and leave the settlement to the record's end. Raises `TooManyRequests`, `QuotaExceeded`."""
        principal = call.principal
        standing = self._standings.get((id(principal), call.project))
        if standing is None or standing.principal is not principal or standing.generation != self._leases.generation:
            standing = self._stand(call)
        budgets, longest = standing.budgets, standing.longest
        if not budgets and longest is None:
            return await proceed(call)
        bounds, now = self._tokens.of(call, longest), self._now()
        total = bounds.total
        held = _taken_at_once(call, standing.leases or self._leased(call, budgets), bounds, total, now)
        if held is None:
            held, bounds = await self._take_in_turn(call, budgets, bounds, now)
            total = bounds.total
        reservation = Reservation(call, held, self._exceeded)
        record = call.record
        record.at_end(reservation.settle)
        record.estimated, record.reserved = bounds.prompt, total
        touches = record.limits.append
        for budget, hold in held:
            touches(Touched(name=budget.name, reserved=hold.amount, left=hold.left))
        try:
            reply = await proceed(call if call.output == bounds.output else self._tokens.bounded(call, bounds))
        except ForehearthError as error:
            if error.retry_elsewhere:
                reservation.release()
                record.estimated = record.reserved = 0  # it is no bound for who is asked next
            raise
        told = headers(held, None if reply.stream is not None else record.usage, self._now())
        if not told:
            return reply
        # What a backend says of its own limits is not what this caller has left.
        for header in reply.headers:
            if not header[0].startswith(_RATES):
                told.append(header)
        return replace(reply, headers=told)

    def _that_apply(self, call: Call) -> Applying:
        key = (call.principal.product, call.project)
        found = self._applying.get(key)
        if found is None:
            found = self._applying[key] = self._limits.applying(*key)
        return found

    def _stand(self, call: Call) -> Standing:
        """Find out what a caller is held against, and remember it."""
        principal = call.principal
        applying = self._that_apply(call)
        budgets = applying.budgets
        is_settled = all(each.is_of_caller for each in budgets)
        if len(self._standings) >= _REMEMBERED:
            self._standings.clear()
        found = self._standings[id(principal), call.project] = Standing(
            principal=principal,
            budgets=budgets,
            longest=applying.longest,
            leases=self._leased(call, budgets) if is_settled else None,
            generation=self._leases.generation,
        )
        return found

    def _leased(self, call: Call, budgets: Sequence[Budget]) -> tuple[tuple[Budget, Lease], ...]:
        return tuple((each, self._lease(each, call)) for each in budgets)

    def _lease(self, budget: Budget, call: Call) -> Lease:
        return self._leases.lease(budget.counted, budget.value(call, self._deployment))

    async def _take_in_turn(
        self, call: Call, budgets: Sequence[Budget], bounds: Bounds, began: float
    ) -> tuple[Held, Bounds]:
        """Ask the store; then with a prompt that is counted and an answer that is shortened, and in the queue.

        Raises `TooManyRequests`, `QuotaExceeded`, or `LimitsUnchecked` where the store cannot be asked.
        """
        turn = _Turn(self._lease, call, budgets, began)
        try:
            try:
                return await turn.take(bounds, strict=True)
            except _Lacking:
                return await turn.take(self._tokens.counted(call, bounds), strict=False)
        except _Lacking as lacking:
            budget, denied = lacking.budget, lacking.denied
            error = refusal(call, self._deployment, budget, lacking.need, denied, self._leases.clock.unix())
            self._meter.refused(budget.name)
            call.record.limits.append(Touched(name=budget.name, reserved=0, left=denied.left))
            call.record.say(_NAME, error.message)
            raise error from None
        except StoreFailed as error:
            raise LimitsUnchecked("The limits of this call cannot be checked now.", retry_after=_STORE_AGAIN) from error
        finally:
            waited = self._now() - began
            call.record.queued += waited
            self._meter.waited(waited)


def _taken_at_once(
    call: Call, leases: Sequence[tuple[Budget, Lease]], bounds: Bounds, total: int, now: float
) -> Held | None:
    """Take all of it from memory; None, and nothing is taken, where something is missing. `total` is of the bounds."""
    held: list[tuple[Budget, Hold]] = []
    for budget, lease in leases:
        hold = lease.take(total if budget.in_tokens else budget.need(call, bounds), now)
        if hold is None:
            _give_back([each for _, each in held])
            return None
        held.append((budget, hold))
    return held


class _Lacking(Exception):
    """A limit has less left than a call needs."""

    def __init__(self, budget: Budget, need: int, denied: Denied) -> None:
        super().__init__()
        self.budget = budget
        self.need = need
        self.denied = denied


class _Turn:
    """One call that takes what it needs of one limit after the other, and may wait for it."""

    def __init__(
        self, lease: Callable[[Budget, Call], Lease], call: Call, budgets: Sequence[Budget], began: float
    ) -> None:
        self._lease = lease
        self._call = call
        self._budgets = budgets
        self._began = began
        self._tenant = call.principal.product or call.principal.id

    async def take(self, bounds: Bounds, *, strict: bool) -> tuple[Held, Bounds]:
        """All of it; `strict`: without waiting, and in full. Raises `_Lacking`, and then nothing is taken."""
        for _ in range(_ROUNDS):
            holds: list[Hold] = []
            try:
                for budget in self._budgets:
                    bounds = await self._take_one(budget, bounds, holds, strict=strict)
            except BaseException:
                _give_back(holds)
                raise
            if all(hold.renew() for hold in holds):
                return list(zip(self._budgets, holds, strict=True)), bounds
            _give_back(holds)
        raise _Lacking(self._budgets[0], self._budgets[0].need(self._call, bounds), Denied(0, _STORE_AGAIN))

    async def _take_one(self, budget: Budget, bounds: Bounds, holds: list[Hold], *, strict: bool) -> Bounds:
        """One more of them; the bounds, shortened to what there was."""
        call = self._call
        need = budget.need(call, bounds)
        least = need if strict else budget.least(call, bounds)
        demand = Demand(need, least, self._tenant)
        until = -math.inf if strict else self._began + (budget.settings.wait_up_to or -math.inf)
        lease = self._lease(budget, call)
        try:
            if least > budget.limit:
                raise lease.denied(demand)
            holds.append(await lease.wait(demand, until))
        except Denied as denied:
            raise _Lacking(budget, least, denied) from None
        if holds[-1].amount == need:
            return bounds
        bounds = budget.within(call, bounds, holds[-1].amount)
        for taken_of, hold in zip(self._budgets, holds, strict=False):
            hold.settle(taken_of.need(call, bounds))
        return bounds


def _give_back(holds: Sequence[Hold]) -> None:
    for hold in holds:
        hold.settle(0)
