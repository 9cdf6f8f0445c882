"""What a backend's answers say of it: whether it is left out for a while, and until when.

    well      --- failures reach the setting --->  ejected      nobody asks it
    ejected   --- its time is over ------------->  due          the next call is its trial
    due       --- that call begins ------------->  on trial     one call at a time
    on trial  --- the call succeeds ------------>  well
              --- it fails --------------------->  ejected, for twice as long

Where too many of a pool would be ejected, a backend is `failing` instead: as ejected, but asked when nobody else is
left. Beside all this a host may ask to be left alone for a while, being well: that is obeyed, and no ejection.

Failures wear off: each success makes up for a quarter of one, so that a backend which fails one call in five for long
is ejected like one that fails three in a row. Only calls that began after the last change of state count.
"""

import math
from collections.abc import Callable

from forehearth.core.backend_state import State
from forehearth.core.routing_settings import HealthSettings

_MADE_UP = 0.25
"""How much of a failure a success makes up for."""
_STEP_FORGOTTEN = 60.0
"""Seconds for which a backend has to be well so that one doubling of its time is forgotten."""
_MOST_DOUBLINGS = 40
BUSY_SECONDS = 0.25
"""How long a host is left alone that says it is busy and not for how long."""


class Health:
    """The state of one backend. `has_room` tells whether the pool may eject one more."""

    __slots__ = (
        "_doublings",
        "_ejected",
        "_failures",
        "_has_room",
        "_kept",
        "_settings",
        "_since",
        "_until",
        "_waits_until",
        "clear",
        "on_trial",
        "why",
        "wish",
    )

    def __init__(self, settings: HealthSettings, has_room: Callable[[], bool]) -> None:
        self._settings = settings
        self._has_room = has_room
        self._failures = 0.0
        self._ejected = False
        self._kept = False
        self._doublings = 0
        self._since = -math.inf
        """When it was ejected or let in again last."""
        self._until = -math.inf
        self._waits_until = -math.inf
        self.clear = True
        """Whether nothing at all is held against it: the short answer for nearly every call."""
        self.wish = 0
        """The status with which the host asked to be left alone."""
        self.on_trial = False
        self.why = ""
        """The last thing that went wrong: a status, or an error's code."""

    @property
    def is_ejected(self) -> bool:
        """Whether it counts among those of its pool that are left out."""
        return self._ejected and not self._kept

    @property
    def is_kept(self) -> bool:
        """Whether it would be ejected, were it not for the share that must stay."""
        return self._ejected and self._kept

    @property
    def obeys(self) -> bool:
        """Whether a host's own wish to be left alone counts."""
        return self._settings.obey_seconds > 0

    def state(self, now: float) -> State:
        """What it is at that time."""
        if self._ejected and now < self._until:
            return State.FAILING if self._kept else State.EJECTED
        if self._waits_until > now:
            return State.WAITING
        if not self._ejected:
            return State.READY
        if self.on_trial:
            return State.FAILING if self._kept else State.TRIAL
        return State.DUE

    def opens_at(self, now: float) -> float:
        """When it may be asked again; `now` where it may be."""
        return max(now, self._waits_until, self._until if self._ejected else now)

    def begin(self, now: float) -> None:
        """A call goes there; the first one after an ejection is its trial."""
        if self.state(now) is State.DUE:
            self.on_trial = True

    def succeeded(self, began: float, now: float) -> bool:
        """A call that began then was answered. Whether that ended its ejection."""
        if began < self._since:
            return False
        was_ejected = self._ejected
        if was_ejected:
            self._ejected = self._kept = self.on_trial = False
            self._since = now
        self._failures = 0.0 if was_ejected else max(0.0, self._failures - _MADE_UP)
        self.clear = self._failures == 0.0 and self._waits_until <= now
        return was_ejected

    def failed(self, began: float, now: float, *, broke_off: bool = False) -> bool:
        """A call that began then failed, and the backend is to blame. Whether that ejected it.

        One that `broke_off` had counted as a success before.
        """
        self.clear = False
        if began < self._since:
            return False
        if not self._ejected:
            self._failures += 1 + _MADE_UP if broke_off else 1
            return self._failures >= self._settings.failures and self._eject(now)
        if now >= self._until:
            return self._eject(now)
        self._kept = self._kept and not self._has_room()
        return False

    def let_go(self, began: float) -> None:
        """A call that began then ended and says nothing of the backend: its client left, or it was never sent."""
        if began >= self._since:
            self.on_trial = False

    def wishes(self, seconds: float | None, status: int, now: float) -> None:
        """The host wants to be left alone, for that long where it says so."""
        if self.obeys:
            wanted = BUSY_SECONDS if seconds is None else seconds
            self._waits_until = max(self._waits_until, now + min(wanted, self._settings.obey_seconds))
            self.wish = status
            self.clear = False

    def _eject(self, now: float) -> bool:
        settings = self._settings
        if not self._ejected:
            well = now - self._since
            self._doublings = max(0, self._doublings - int(min(well / _STEP_FORGOTTEN, _MOST_DOUBLINGS)))
        if not self.is_ejected:
            self._kept = not self._has_room()
        seconds = min(settings.base_seconds * 2.0**self._doublings, settings.most_seconds)
        self._doublings = min(self._doublings + 1, _MOST_DOUBLINGS)
        self._ejected = True
        self.on_trial = False
        self._failures = 0.0
        self._since = now
        self._until = now + seconds
        return True
