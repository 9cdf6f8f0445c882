"""Refused calls on their way to the audit log, within bounds: whoever is refused must not be able to fill it.

The first refusal is recorded at once. What the same caller is refused again within the minute, at the same endpoint and
for the same reason, becomes one more record with the count. Callers that nobody knows can be as many as there are
addresses, so they have room of their own, and never take that of those who are known; and half of the room for records
that wait for the store is left to what operators do. What finds no room is counted.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from forehearth.admin.audit import MOST_WAITING, Audit
from forehearth.core.audit import AuditRecord
from forehearth.core.clock import Clock
from forehearth.core.refusal import Refusal

WINDOW = 60.0
"""Seconds in which repeats are folded."""
MOST_KNOWN = 256
"""Different refusals of callers that are known, in one window."""
MOST_UNKNOWN = 64
"""The same of all others."""
_INTERVAL = 1.0
_Key = tuple[str, ...]


class _Repeats(msgspec.Struct, kw_only=True):
    """What followed one refusal within its window."""

    began: float
    """On the monotonic clock."""
    first: Refusal
    last: Refusal
    ended: float
    """When `last` was, on the monotonic clock."""
    at: float
    """The same in Unix seconds."""
    count: int = 0
    elsewhere: bool = False
    """Whether some were for another deployment or project."""


class Refusals:
    """One worker's. It is a `ports.refusals.Refusals`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._unrecorded: Callable[[int], None] = lambda _: None
        self._audit: Audit | None = None
        self._known: dict[_Key, _Repeats] = {}
        self._unknown: dict[_Key, _Repeats] = {}

    def refused(self, refusal: Refusal) -> None:
        """See `ports.refusals`."""
        known = refusal.principal is not None
        windows, most = (self._known, MOST_KNOWN) if known else (self._unknown, MOST_UNKNOWN)
        key = _key(refusal)
        open_ = windows.get(key)
        if open_ is not None:
            self._repeat(open_, refusal)
        elif self._audit is None or len(windows) >= most or self._audit.waiting >= MOST_WAITING // 2:
            self._unrecorded(1)
        else:
            now, at = self._clock.monotonic(), self._clock.unix()
            windows[key] = _Repeats(began=now, first=refusal, last=refusal, ended=now, at=at)
            self._audit.record(_record(refusal, at, refusal.reason))

    @contextlib.asynccontextmanager
    async def recorded_in(
        self,
        audit: Audit,
        unrecorded: Callable[[int], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> AsyncIterator[None]:
        """Record them there, from now until the end; then what is folded by then, too.

        `unrecorded` is told how many found no room.
        """
        self._audit, self._unrecorded = audit, unrecorded
        closing = asyncio.create_task(self._close_in_time(sleep))
        try:
            yield
        finally:
            closing.cancel()
            self._close(float("inf"))
            self._audit = None

    async def _close_in_time(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        while True:
            await sleep(_INTERVAL)
            self._close(self._clock.monotonic())

    def _repeat(self, open_: _Repeats, refusal: Refusal) -> None:
        first = open_.first
        open_.count += 1
        open_.last, open_.ended, open_.at = refusal, self._clock.monotonic(), self._clock.unix()
        open_.elsewhere |= (refusal.project, refusal.deployment) != (first.project, first.deployment)

    def _close(self, now: float) -> None:
        """Record the repeats of every window that is over. The oldest window is the first of its dictionary."""
        for windows in (self._known, self._unknown):
            while windows:
                key, oldest = next(iter(windows.items()))
                if now - oldest.began < WINDOW:
                    break
                del windows[key]
                self._tell(oldest)

    def _tell(self, repeats: _Repeats) -> None:
        if not repeats.count:
            return
        if self._audit is None or self._audit.waiting >= MOST_WAITING // 2:
            self._unrecorded(repeats.count)
            return
        seconds = max(1, round(repeats.ended - repeats.began))
        where = ", some for other deployments or projects" if repeats.elsewhere else ""
        said = f"{repeats.count} more within {seconds} s{where}: {repeats.last.reason}"
        self._audit.record(_record(repeats.last, repeats.at, said))


def _key(refusal: Refusal) -> _Key:
    """What repeats have alike."""
    who = refusal.principal
    caller = (refusal.address,) if who is None else (who.kind, who.tenant, who.id or who.name)
    return (refusal.resource, refusal.operation, str(refusal.status), refusal.reason, *caller)


def _record(refusal: Refusal, at: float, said: str) -> AuditRecord:
    who, address = refusal.principal, refusal.address
    details = [said]
    if who is not None:
        by = f"by {who.id}" if who.id not in ("", who.name) else ""
        details = [each for each in (by, f"from {address}" if address else "", said) if each]
    return AuditRecord(
        at=at,
        request_id=refusal.request_id,
        resource=refusal.resource,
        project=refusal.project,
        actor=who.name if who is not None else address or "unknown",
        actor_kind=who.kind if who is not None else "address",
        action=refusal.operation,
        target=refusal.deployment,
        allowed=False,
        status=refusal.status,
        detail="; ".join(details),
    )
