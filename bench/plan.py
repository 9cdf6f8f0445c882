"""How much is measured, and for how long."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The method in numbers; the defaults are those of a run that may be published."""

    rounds: int = 4
    seconds: float = 3.0
    """Of every measurement, after its warm-up."""
    warmup: float = 1.0
    settle: float = 4.0
    """Seconds of calls before the first measurement of a turn: compilers, pools and caches at rest."""
    connections: tuple[int, ...] = (1, 32, 256)
    stream_connections: int = 32
    """How many streams are open at once where CPU per stream is taken."""
    shares: tuple[int, ...] = (50, 80)
    """Percent of a stack's own capacity at which latency is taken."""
    rate_call_connections: int = 64
    """The most connections that calls at a fixed rate may use. More would change what a call costs as soon as a queue
    builds up (a call at 256 connections costs more than at 32), and a stack once behind would never catch up."""
    rate_stream_connections: int = 256
    """The same for streams, which last 20 ms each."""
    pairs: int = 4
    """How often in a turn latency is taken at a rate, each time straight to the mock and then through the stack."""
    window: float = 0.5
    """Seconds of each. Where the machine itself stands still, as virtual ones do for milliseconds at a time, a p99 is
    that of the pause; of short windows most have none, and the median is of those."""
    window_warmup: float = 0.3
    rate_samples: int = 300
    """A slow stack's window is made longer until about so many calls were due. Longer than `seconds`, it is the only
    one of its turn."""
    longest: float = 15.0
    """But never longer than this."""
    growth_calls: int = 300_000
    growth_settled: int = 60_000
    """Memory is read over `growth_calls` calls; the first `growth_settled` may still fill pools and caches."""

    @property
    def publishable(self) -> bool:
        """Whether the run is long enough for its figures to stand in the documentation."""
        return self.rounds >= 4 and self.seconds >= 2 and self.growth_calls >= 300_000


QUICK = Plan(
    rounds=1,
    seconds=1.0,
    warmup=0.3,
    settle=1.0,
    pairs=2,
    rate_samples=100,
    longest=6.0,
    growth_calls=60_000,
    growth_settled=20_000,
)
"""Shows in a few minutes that everything works; its figures are not for publishing."""
CAPACITY_CONNECTIONS = 32
"""Capacity is what one core can carry, by the CPU time of a call at this many connections."""
