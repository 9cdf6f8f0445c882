"""One stack's turn in a round: started, asked its questions, stopped; what came of it as plain figures."""

import contextlib
import http.client
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench import payloads
from bench.errors import FailedError
from bench.load import Order, Seen, run
from bench.payloads import Stream
from bench.plan import CAPACITY_CONNECTIONS, Plan
from bench.processes import Cores, Running, announced_ports, running
from bench.stacks import Dialogue, Stack
from bench.stacks.direct import DIALOGUE
from bench.upstream import Upstream

_MOST_ERRORS = 0.01
"""A measurement with a larger share of errors has no figure."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What every turn shares: the machine's cores, the mock, the load generator, the plan."""

    cores: Cores
    upstream: Upstream
    load: Path
    plan: Plan
    work: Path


@dataclass(kw_only=True)
class Turn:
    """What one turn brought. Figures that could not be taken are absent and their reasons are in `problems`."""

    figures: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class Door:
    """A stack that answers: orders for it, and what they cost it."""

    def __init__(self, bench: Bench, dialogue: Dialogue, port: int, folder: Path, started: Running | None) -> None:
        self._bench = bench
        self._dialogue = dialogue
        self._port = port
        self._started = started
        self._folder = folder
        self.upstream_connections = 0
        self.errors = 0

    def order(self, stream: Stream | None, **how: Any) -> Order:
        """An order for calls, or for streams, checked against what this stack answers."""
        dialogue = self._dialogue
        name = f"request-{stream.name if stream else 'call'}"
        body = payloads.request_body(dialogue.model, stream)
        request = payloads.write_request(self._folder / name, dialogue.target, dict(dialogue.headers), body)
        expected = {"events": dialogue.events} if stream else {"body_bytes": dialogue.body_bytes}
        return Order(port=self._port, request=request, marker=payloads.MARKER, **expected, **how)

    @property
    def has_process(self) -> bool:
        """Whether there is a gateway at all whose CPU time can be read."""
        return self._started is not None

    def rss_mib(self) -> float:
        """Resident memory of the stack now."""
        return self._started.rss_mib() if self._started else 0.0

    def send(self, order: Order) -> tuple[Seen, float]:
        """Run an order; returns what was seen and the CPU microseconds the stack spent on it."""
        opened = self._bench.upstream.counted()["connections"]
        before = self._started.cpu_seconds() if self._started else 0.0
        seen = run(self._bench.load, self._bench.cores.load, order)
        after = self._started.cpu_seconds() if self._started else 0.0
        self.upstream_connections += self._bench.upstream.counted()["connections"] - opened
        self.errors += seen.errors
        if self._started and self._started.ended():
            raise FailedError(f"ended under load: {self._started.last_words()}")
        if not seen.ok or seen.errors > _MOST_ERRORS * seen.sent:
            raise FailedError(f"{seen.errors} of {seen.sent} failed ({seen.first_fault.strip()})")
        return seen, (after - before) * 1e6


@contextlib.contextmanager
def _open(bench: Bench, stack: Stack, turn: Turn) -> Iterator[Door]:
    folder = bench.work / "turns" / stack.name
    folder.mkdir(parents=True, exist_ok=True)
    launch = stack.launch(folder, bench.upstream)
    if not launch.command:
        yield Door(bench, launch.dialogue, launch.port, folder, None)
        return
    began = time.monotonic()
    with running(launch.command, core=bench.cores.gateway, folder=folder, variables=launch.variables) as started:
        port = launch.port or announced_ports(started, stack.patience)[0]
        body = payloads.request_body(launch.dialogue.model)
        _await_answer(started, port, launch.dialogue, body, began + stack.patience)
        turn.figures["start_seconds"] = time.monotonic() - began
        turn.figures["rss_start_mib"] = started.rss_mib()
        door = Door(bench, launch.dialogue, port, folder, started)
        yield door
        turn.figures["rss_end_mib"] = started.rss_mib()
        turn.figures["rss_largest_mib"] = started.largest_rss_mib()


def _await_answer(started: Running, port: int, dialogue: Dialogue, body: bytes, deadline: float) -> None:
    """Ask until the first good answer; a stack is up when it answers a call, not when it listens."""
    last = "no connection"
    while time.monotonic() < deadline:
        if started.ended():
            raise FailedError(f"ended at its start: {started.last_words()}")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=max(0.1, deadline - time.monotonic()))
        try:
            headers = {"content-type": "application/json", **dialogue.headers}
            connection.request("POST", dialogue.target, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status == 200:
                return
            last = f"status {answer.status}: {text[:200].decode(errors='replace')}"
        except (OSError, http.client.HTTPException) as error:
            last = str(error)
        finally:
            connection.close()
        time.sleep(0.005)
    raise FailedError(f"no good answer in time ({last})")


def take(bench: Bench, stack: Stack) -> Turn:
    """One whole turn."""
    turn = Turn()
    try:
        with _open(bench, stack, turn) as door:
            _costs(bench, door, turn)
            if stack.name != "direct":
                _rates(bench, door, turn)
            turn.figures["upstream_connections"] = door.upstream_connections
            turn.figures["errors"] = door.errors
    except FailedError as error:
        turn.problems.append(str(error))
    return turn


def _try(turn: Turn, what: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    try:
        return measure()
    except FailedError as error:
        turn.problems.append(f"{what}: {error}")
        return None


def _costs(bench: Bench, door: Door, turn: Turn) -> None:
    plan = bench.plan
    door.send(door.order(None, connections=CAPACITY_CONNECTIONS, seconds=plan.settle))
    calls, streams = turn.figures.setdefault("calls", {}), turn.figures.setdefault("streams", {})
    for connections in plan.connections:
        measure = partial(_cost, bench, door, None, connections)
        calls[str(connections)] = _try(turn, f"calls at {connections} connections", measure)
    for stream in payloads.STREAMS:
        measure = partial(_cost, bench, door, stream, plan.stream_connections)
        streams[stream.name] = _try(turn, f"streams in {stream.name} writes", measure)


def _cost(bench: Bench, door: Door, stream: Stream | None, connections: int) -> dict[str, Any]:
    """CPU time of one unit in a closed loop."""
    plan = bench.plan
    door.send(door.order(stream, connections=connections, seconds=plan.warmup))
    mock_before = bench.upstream.started.cpu_seconds()
    seen, cpu_us = door.send(door.order(stream, connections=connections, seconds=plan.seconds))
    mock_us = (bench.upstream.started.cpu_seconds() - mock_before) * 1e6
    return {
        "cpu_us": cpu_us / seen.ok if door.has_process else None,
        "core_share": cpu_us / 1e6 / seen.seconds,
        "load_us": seen.cpu_us / seen.ok,
        "mock_us": mock_us / seen.ok,
        "per_second": seen.per_second,
        "units": seen.ok,
        "errors": seen.errors,
        "p50_ms": seen.latency.p50 / 1e3,
        "p99_ms": seen.latency.p99 / 1e3,
        "first_byte_p99_ms": seen.first_byte.p99 / 1e3,
    }


def _rates(bench: Bench, door: Door, turn: Turn) -> None:
    for kind, stream in (("calls", None), ("streams", payloads.FEW_WRITES)):
        base = turn.figures[kind][stream.name if stream else str(CAPACITY_CONNECTIONS)]
        if not base:
            continue
        capacity = 1e6 / base["cpu_us"]
        for share in bench.plan.shares:
            rate = capacity * share / 100
            what = f"{kind} at {share}% of capacity"
            found = _try(turn, what, partial(_latency, bench, door, stream, rate))
            turn.figures.setdefault("rates", {}).setdefault(kind, {})[str(share)] = found


def _latency(bench: Bench, door: Door, stream: Stream | None, rate: float) -> dict[str, Any]:
    """Latency at a fixed rate of arrivals, in pairs."""
    plan = bench.plan
    window = max(plan.window, min(plan.longest, plan.rate_samples / rate))
    connections = plan.rate_stream_connections if stream else plan.rate_call_connections
    how = {"connections": connections, "seconds": window, "rate": rate, "warmup": plan.window_warmup}
    (bench.work / "turns" / "direct").mkdir(parents=True, exist_ok=True)
    straight = Door(bench, DIALOGUE, bench.upstream.port, bench.work / "turns" / "direct", None)
    count = plan.pairs if window <= plan.seconds else 1
    return {"rate": rate, "pairs": [_pair(straight, door, stream, how) for _ in range(count)]}


def _pair(straight: Door, door: Door, stream: Stream | None, how: dict[str, Any]) -> dict[str, float]:
    """Straight to the mock, and then through the stack."""
    without, _ = straight.send(straight.order(stream, **how))
    through, cpu_us = door.send(door.order(stream, **how))
    return {
        "samples": through.latency.count,
        "errors": through.errors,
        "core_share": cpu_us / 1e6 / through.seconds,
        "added_p50_ms": (through.latency.p50 - without.latency.p50) / 1e3,
        "added_p99_ms": (through.latency.p99 - without.latency.p99) / 1e3,
        "added_first_byte_p99_ms": (through.first_byte.p99 - without.first_byte.p99) / 1e3,
        "p50_ms": through.latency.p50 / 1e3,
        "p99_ms": through.latency.p99 / 1e3,
        "direct_p50_ms": without.latency.p50 / 1e3,
        "direct_p99_ms": without.latency.p99 / 1e3,
        "lateness_p99_ms": through.lateness.p99 / 1e3,
    }


def growth(bench: Bench, stack: Stack) -> Turn:
    """Resident memory over many calls: one point every twentieth part."""
    turn, plan = Turn(), bench.plan
    step = plan.growth_calls // 20
    points: list[tuple[int, float]] = []
    try:
        with _open(bench, stack, turn) as door:
            for made in range(step, plan.growth_calls + 1, step):
                door.send(door.order(None, connections=CAPACITY_CONNECTIONS, seconds=120.0, limit=step))
                points.append((made, door.rss_mib()))
    except FailedError as error:
        turn.problems.append(f"memory over {plan.growth_calls} calls: {error}")
    turn.figures["points"] = points
    return turn
