"""What workers and the counters that they share tell each other.

Amounts are whole: tokens, requests, calls, or billionths of a currency's unit. A worker does not ask for every call: it
leases a slice of a counter and spends it from memory, and only when the slice is used up does it ask again. What is
leased counts as used until it is given back, so that all slices together are never more than the limit, whatever
becomes of a worker.
"""

import msgspec

from forehearth.core.windows import Period


class Demand(msgspec.Struct, frozen=True):
    """What one call needs of a counter; `least` if there is no more. `tenant` is whose turn it would be."""

    need: int
    least: int
    tenant: str = ""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker has to say about one counter: what it gives back, and what it would like to have."""

    counter: str
    period: Period | None
    """The fixed windows that it counts in. None where workers hold shares of it: of what may be used in any 60
    seconds, or at the same time."""
    limit: int
    demands: tuple[Demand, ...] = ()
    """Calls that wait, in the order of their turns."""
    spare: int = 0
    """How much more than that would be welcome, for the calls to come."""
    workers: int = 1
    """How many share it: nobody gets more to spare than its part of half of what is left."""
    given: int = 0
    """What is given back."""
    over: int = 0
    """What was used and not leased before; it is counted, whatever is left."""
    window: int = 0
    """The beginning of the window that `given` and `over` are of."""
    waits: bool = False
    """Whether calls wait here for their turn; then nobody is passed over who was served longer ago."""
    kept: int = 0
    """Where calls wait: so much at the most is kept free for tenants who were here lately and do not wait now."""
    lasts: float = 0.0
    """For a share: so many seconds after this it lapses, unless the worker says something before."""
    tail: float = 0.0
    """For a share: so many seconds after its lapse it still counts, because what it was used for does."""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an `Ask`."""

    granted: tuple[int, ...] = ()
    """For each demand what it gets, 0 for nothing."""
    spare: int = 0
    left: int = 0
    """What nobody has leased."""
    window: int = 0
    """The beginning of the window that this is of."""
    ends_in: float = 0.0
    """Seconds until the window ends, or the share lapses."""
    held: int = 0
    """A worker's whole share, this grant included."""
    kept: int = 0
    """How much of `left` is kept free from those whose demands were not met."""
    others: bool = False
    """Whether calls of other workers wait for their turn."""
