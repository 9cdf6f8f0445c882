"""The load generator as a function: what was asked of it, what it saw."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import FailedError

_GRACE_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Order:
    """One run of the load generator. A rate of 0 is a closed loop; a limit of 0 is none."""

    port: int
    request: Path
    connections: int
    seconds: float
    rate: float = 0.0
    limit: int = 0
    warmup: float = 0.0
    body_bytes: int = 0
    events: int = 0
    marker: str = ""


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """Of exact samples, in microseconds."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    p999: float
    max: float


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a run saw. `ok` are answers that were checked and right."""

    seconds: float
    sent: int
    ok: int
    errors: int
    retried: int
    opened: int
    cpu_us: float
    events: int
    latency: Percentiles
    first_byte: Percentiles
    lateness: Percentiles
    faults: dict[str, int]
    first_fault: str

    @property
    def per_second(self) -> float:
        """Right answers a second, the drain at the end included."""
        return self.ok / self.seconds


def parse(text: str) -> Seen:
    """Read the one JSON object that the load generator prints."""
    raw: dict[str, Any] = json.loads(text)
    plain = ("seconds", "sent", "ok", "errors", "retried", "opened", "cpu_us", "events", "faults", "first_fault")
    return Seen(
        latency=Percentiles(**raw["latency_us"]),
        first_byte=Percentiles(**raw["first_byte_us"]),
        lateness=Percentiles(**raw["lateness_us"]),
        **{name: raw[name] for name in plain},
    )


def run(program: Path, core: int, order: Order) -> Seen:
    """Run it on its core and wait; raise `FailedError` when it could not even connect."""
    words = [order.port, order.request, order.connections, order.seconds, order.rate]
    words += [order.limit, order.warmup, order.body_bytes, order.events, order.marker]
    command = ["taskset", "--cpu-list", str(core), str(program), *map(str, words)]
    patience = order.seconds + order.warmup + _GRACE_SECONDS
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=patience)
    except subprocess.TimeoutExpired:
        raise FailedError(f"the load generator did not come to an end within {patience:.0f} s") from None
    if done.returncode:
        raise FailedError(f"the load generator stopped: {done.stderr.strip()}")
    return parse(done.stdout)
