"""A backend's limits, counted together by all workers: what calls take there is leased from the shared counters."""

import logging
from collections.abc import Sequence

from forehearth.accounting.counted import Counted, Denied, Hold
from forehearth.accounting.leases import Lease, Leases
from forehearth.core.counter import Demand
from forehearth.core.document import StoreFailed
from forehearth.core.routing_settings import BackendLimits
from forehearth.core.windows import Period

_log = logging.getLogger("forehearth.limits")
_REQUESTS, _TOKENS, _CALLS = "requests_per_minute", "tokens_per_minute", "concurrent_calls"


class _Place:
    """A `ports.capacity.Place`: what one call holds, by limit."""

    __slots__ = ("_holds",)

    def __init__(self, holds: dict[str, Hold]) -> None:
        self._holds = holds

    def settle(self, tokens: int | None, now: float) -> None:  # noqa: ARG002 - the protocol's shape
        """See `ports.capacity`. Once more does nothing."""
        holds, self._holds = self._holds, {}
        if _CALLS in holds:
            holds[_CALLS].settle(0)
        if _TOKENS in holds and tokens is not None:
            holds[_TOKENS].settle(tokens)

    def give_back(self) -> None:
        """The call does not go there."""
        holds, self._holds = self._holds, {}
        for hold in holds.values():
            hold.settle(0)


class SharedCapacity:
    """The limits of one backend of one deployment: a `ports.capacity.Capacity`."""

    def __init__(self, limits: BackendLimits, leases: Leases, *, counter: str) -> None:
        """`counter` is what all workers call this backend, and no other one."""
        self._leases = leases
        self._limits = {
            name: Counted(
                counter=f"{counter} {name}",
                limit=most,
                period=None if name == _CALLS else Period.MINUTE,
                sliding=name != _CALLS,
            )
            for name in (_REQUESTS, _TOKENS, _CALLS)
            if (most := getattr(limits, name)) is not None
        }

    def fits(self, tokens: int, now: float) -> bool:
        """See `ports.capacity`: as far as this worker knows. Where that is not known, a call has to ask."""
        return all(self._lease(name).may_have(self._need(name, tokens), now) for name in self._limits)

    def take(self, tokens: int, now: float) -> _Place | None:
        """See `ports.capacity`: out of what is leased."""
        place = _Place(holds := {})
        for name in self._limits:
            hold = self._lease(name).take(self._need(name, tokens), now)
            if hold is None:
                place.give_back()
                return None
            holds[name] = hold
        return place

    async def ask(self, tokens: int) -> _Place | None:
        """See `ports.capacity`. While the counters cannot be reached, nothing fits."""
        place = _Place(holds := {})
        try:
            for name in self._limits:
                need = self._need(name, tokens)
                holds[name] = await self._lease(name).wait(Demand(need=need, least=need))
        except Denied:
            place.give_back()
            return None
        except StoreFailed as error:
            _log.warning("what a backend can take is not known, so it is not asked: %s", error)
            place.give_back()
            return None
        except BaseException:
            place.give_back()
            raise
        return place

    def opens_at(self, tokens: int, now: float) -> float:
        """See `ports.capacity`."""
        waits: Sequence[float] = [
            lease.frees_in(need, now)
            for name in self._limits
            if not (lease := self._lease(name)).may_have(need := self._need(name, tokens), now)
        ]
        return now + max(waits, default=0.0)

    def _lease(self, name: str) -> Lease:
        return self._leases.lease(self._limits[name], "")

    def _need(self, name: str, tokens: int) -> int:
        """A call larger than the limit itself needs all of it."""
        return min(tokens, self._limits[name].limit) if name == _TOKENS else 1
