"""One backend of a pool: what it has to do, how quick it is, and what each call there says of its health."""

import logging
from collections.abc import Callable

from forehearth.core.backend_state import State
from forehearth.core.call import Call
from forehearth.core.errors import LOCKED_OUT_STATUSES, BackendRefused, Failed, Overloaded, TimedOut
from forehearth.core.record import Attempt, CallRecord
from forehearth.core.upstream import Response
from forehearth.dialects.waits import spent
from forehearth.ports.capacity import Capacity, Place
from forehearth.routing.deployment import Backend
from forehearth.routing.health import Health
from forehearth.routing.latency import Latency

_log = logging.getLogger("forehearth.routing")
CLOSED = frozenset({State.EJECTED, State.WAITING, State.TRIAL, State.FULL})
"""States in which a backend is not asked at all."""
BUSY = 429
_UNAVAILABLE = 503
_FIRST_FAULT_OF_THE_HOST = 500
_ILL = LOCKED_OUT_STATUSES | {408}
"""Statuses below 500 that are a backend's fault: it does not let us in, has no such model, or read too slowly."""
_BROKEN_OFF = frozenset({"backend_broken", "backend_timeout"})
"""How a call ends whose answer had begun, where the backend is to blame."""
TOTAL = "total"
_LEFT_OF_REQUESTS, _LEFT_OF_TOKENS = b"x-ratelimit-remaining-requests", b"x-ratelimit-remaining-tokens"
_NOTHING = b"0"
_OBJECT = b"{"
_WHILE_IT_WORKED = frozenset({"client_left", "internal_error"})
"""How a try ends without a word of the backend, which may have been at work by then."""


class Member:
    """What is known of a backend, and counted, by this worker.

    A call there is let in by `begin`; then one of `answered`, `failed` and `let_go` is owed, with the same attempt.
    """

    __slots__ = (
        "_now",
        "_places",
        "_when_over",
        "answers",
        "backend",
        "busy",
        "calls",
        "capacity",
        "failures",
        "health",
        "in_flight",
        "on_ejection",
        "streams",
        "weight",
    )

    def __init__(
        self,
        backend: Backend,
        health: Health,
        capacity: Capacity | None,
        now: Callable[[], float],
    ) -> None:
        self.backend = backend
        self.weight = backend.weight or 1
        self.health = health
        self.capacity = capacity
        self.in_flight = 0
        """Calls and streams that it answers now."""
        self.calls = 0
        self.failures = 0
        """Those of them that failed by its fault."""
        self.busy = 0
        """Those of them that it was too busy for."""
        self.streams = Latency()
        """First bytes of streams."""
        self.answers = Latency()
        """Answers that come whole."""
        self.on_ejection: Callable[[Member], None] = _nobody
        """Told when it is ejected."""
        self._now = now
        self._places: dict[int, Place] = {}
        """By attempt, where there is a capacity."""
        self._when_over = self._over  # bound once

    def state(self, tokens: int, now: float) -> State:
        """Whether a call that may use so many tokens can go there, and why not."""
        state = self.health.state(now)
        if self.capacity is None or state in CLOSED or self.capacity.fits(tokens, now):
            return state
        return State.FULL

    def is_down(self, now: float) -> bool:
        """Whether it is left out because it is ill, and not only because it is busy."""
        state = self.health.state(now)
        return state in {State.EJECTED, State.TRIAL} or (state is State.WAITING and self.health.wish != BUSY)

    def opens_at(self, tokens: int, now: float) -> float:
        """The soonest time at which such a call may go there."""
        opens = self.health.opens_at(now)
        return opens if self.capacity is None else max(opens, self.capacity.opens_at(tokens, now))

    def latency(self, *, stream: bool) -> Latency:
        """How quick it is with calls of this kind."""
        return self.streams if stream else self.answers

    def begin(self, call: Call, tokens: int, now: float) -> Attempt | None:
        """Let a call go there and note it; None where it cannot, any more or at all."""
        if not self.health.clear and self.health.state(now) in CLOSED:
            return None
        place = None
        if self.capacity is not None:
            place = self.capacity.take(tokens, now)
            if place is None:
                return None
        return self._begin(call, place, now)

    async def begin_asking(self, call: Call, tokens: int) -> Attempt | None:
        """The same, after other workers' counters were asked for room."""
        if self.capacity is None or self.health.state(self._now()) in CLOSED:
            return None
        place = await self.capacity.ask(tokens)
        return None if place is None else self._begin(call, place, self._now())

    def _begin(self, call: Call, place: Place | None, now: float) -> Attempt:
        if not self.health.clear:
            self.health.begin(now)
        self.calls += 1
        self.in_flight += 1
        attempt = Attempt(backend=self.backend.name, began=now)
        call.record.attempts.append(attempt)
        if place is not None:
            self._places[id(attempt)] = place
        return attempt

    def answered(self, call: Call, attempt: Attempt, response: Response, now: float) -> None:
        """The answer began; a stream goes on until the record is closed."""
        record, headers = call.record, response.headers
        attempt.outcome, attempt.status = "ok", response.status
        attempt.seconds = seconds = now - attempt.began
        record.backend, record.model = attempt.backend, self.backend.model
        (self.streams if call.stream else self.answers).note(seconds, now)
        if headers.get(_LEFT_OF_REQUESTS) == _NOTHING or headers.get(_LEFT_OF_TOKENS) == _NOTHING:
            self._pause(spent(headers), BUSY, now)
        if not self.health.clear:
            self._well(attempt, now)
        if call.stream or self.capacity is not None or response.body[:1] != _OBJECT:
            record.at_end(self._when_over)
        else:
            self.in_flight -= 1  # it is here, whole, and looks like an answer: nothing more to learn

    def failed(self, call: Call, attempt: Attempt, error: Failed, now: float) -> None:
        """There will be no answer from there."""
        attempt.outcome, attempt.seconds = error.code, now - attempt.began
        attempt.may_have_used = not (error.retry_elsewhere or isinstance(error, BackendRefused))
        if isinstance(error, BackendRefused):
            attempt.status = error.status
        self.health.why = f"status {attempt.status}" if attempt.status else error.code
        if self._is_busy(attempt, error):
            self._busy(attempt, error, now)
        elif _is_to_blame(call, attempt, error):
            self._pause(error.retry_after, attempt.status, now)
            self._ill(attempt, now)
        else:
            self._well(attempt, now)  # it is there, and knows what is wrong with the call
        self._leave(attempt, 0 if error.retry_elsewhere else None, now)

    def let_go(self, attempt: Attempt, outcome: str, now: float) -> None:
        """It ended without a word of the backend: the client left, or it could not be sent at all."""
        attempt.outcome, attempt.seconds = outcome, now - attempt.began
        attempt.may_have_used = outcome in _WHILE_IT_WORKED
        self.health.let_go(attempt.began)
        self._leave(attempt, None, now)

    def _over(self, record: CallRecord) -> None:
        """An answer that had begun is over; the attempt that brought it is the last one."""
        if record.outcome in _BROKEN_OFF:
            self.health.why = record.outcome
            self._ill(record.attempts[-1], self._now(), broke_off=True)
        if self.capacity is None:
            self.in_flight -= 1
        else:
            used = None if record.usage is None else record.usage.prompt + record.usage.completion
            self._leave(record.attempts[-1], used, self._now())

    def _leave(self, attempt: Attempt, tokens: int | None, now: float) -> None:
        self.in_flight -= 1
        if self.capacity is not None:
            self._places.pop(id(attempt)).settle(tokens, now)

    def _is_busy(self, attempt: Attempt, error: Failed) -> bool:
        """Whether it has too much to do, or says itself when it will be back."""
        if attempt.status == _UNAVAILABLE:
            return self.health.obeys and bool(error.retry_after)
        return attempt.status == BUSY or isinstance(error, Overloaded)

    def _busy(self, attempt: Attempt, error: Failed, now: float) -> None:
        self.busy += 1
        self.health.wishes(error.retry_after, attempt.status or _UNAVAILABLE, now)
        if attempt.status == BUSY:
            self._well(attempt, now)
        else:
            self.health.let_go(attempt.began)

    def _pause(self, seconds: float | None, status: int, now: float) -> None:
        if seconds is not None:
            self.health.wishes(seconds, status, now)

    def _well(self, attempt: Attempt, now: float) -> None:
        if self.health.succeeded(attempt.began, now):
            _log.info("%s: asked again", self.backend.name)

    def _ill(self, attempt: Attempt, now: float, *, broke_off: bool = False) -> None:
        self.failures += 1
        if self.health.failed(attempt.began, now, broke_off=broke_off):
            self.on_ejection(self)


def _is_to_blame(call: Call, attempt: Attempt, error: Failed) -> bool:
    """Whether it is the backend's fault, neither the caller's nor that of too many calls."""
    if isinstance(error, BackendRefused):
        return error.status >= _FIRST_FAULT_OF_THE_HOST or error.status in _ILL
    if isinstance(error, TimedOut) and error.phase == TOTAL:
        return call.record.attempts[0] is attempt  # a later one may have had too little time left
    return True


def _nobody(member: Member) -> None:
    """Tell nobody."""
