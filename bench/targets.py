"""What this project wants to reach, and whether the figures of a run say that it did."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.figures import median, paired_ratios, share_percent, slope
from bench.summary import Row, by_round

OURS = "forehearth"
OURS_TLS = "forehearth-tls"
OURS_ACCOUNTS = "forehearth-accounts"
OURS_ALL = (OURS, OURS_TLS, OURS_ACCOUNTS, f"{OURS}-source", f"{OURS_ACCOUNTS}-source")
"""The last two are the same modules, not compiled."""
_CALL_RATIO = 3.0
_ACCOUNTS_RATIO = 4.0
_STREAM_RATIO = 2.2
_WITH_ACCOUNTS = "a call with two limits and the ledger"
_ADDED_P99_MS = 1.0
_PAIRED_ROUNDS = 4
_RSS_MB = 70.0
_GROWTH_MIB = 1.0
_START_SECONDS = 1.0
_TLS_PERCENT = 35.0


@dataclass(frozen=True, kw_only=True)
class Target:
    """One aim with what was found. Without a figure it is not reached."""

    aim: str
    found: str
    reached: bool


def _at_most(aim: str, value: float | None, limit: float, unit: str) -> Target:
    if value is None:
        return Target(aim=aim, found="not measured", reached=False)
    return Target(aim=aim, found=f"{value:.2f} {unit}".strip(), reached=value <= limit)


def _ahead(aim: str, rows: Sequence[Row], kind: str, which: str, name: str = OURS) -> Target:
    """Less CPU than every peer with policy; a peer without a figure leaves it open."""
    costs = {row.name: getattr(row, kind).get(which) for row in rows}
    own = costs.get(name)
    peers = {row.title: costs[row.name] for row in rows if row.has_policy and row.name not in OURS_ALL}
    missing = [title for title, cost in peers.items() if cost is None or cost.least is None]
    if own is None or own.least is None or not peers or missing:
        return Target(aim=aim, found=f"not measured: {', '.join(missing) or 'no peer'}", reached=False)
    nearest = min(peers, key=lambda title: peers[title].least)
    figure = peers[nearest].least
    return Target(aim=aim, found=f"{own.least:.0f} µs; nearest {nearest} {figure:.0f} µs", reached=own.least < figure)


def memory_growth(record: dict[str, Any]) -> float | None:
    """MiB for 100,000 calls, by the line through the readings after the settling calls."""
    settled = record["plan"]["growth_settled"]
    points = [(calls, mib) for calls, mib in record.get("growth", {}).get("points", []) if calls > settled]
    rise = slope(points)
    return None if rise is None else rise * 100_000


def tls_percent(record: dict[str, Any]) -> float | None:
    """How much more CPU a call takes over TLS to the upstream, round by round."""
    stacks = record["stacks"]
    if OURS not in stacks or OURS_TLS not in stacks:
        return None
    path = ("calls", "32", "cpu_us")
    ratio = median(paired_ratios(by_round(stacks[OURS_TLS], *path), by_round(stacks[OURS], *path)))
    return None if ratio is None else share_percent(ratio)


def judge(record: dict[str, Any], rows: Sequence[Row]) -> list[Target]:
    """Every aim, computed from the figures."""
    own = next((row for row in rows if row.name == OURS), None)
    call = own.calls.get("32") if own else None
    stream = own.streams.get("10") if own else None
    accounts = next((row for row in rows if row.name == OURS_ACCOUNTS), None)
    full = accounts.calls.get("32") if accounts else None
    half = own.call_rates.get("50") if own else None
    rounds = len(by_round(record["stacks"][OURS], "rates", "calls", "50", "rate")) if own else 0
    aims = [
        _at_most("a call at 32 connections at most 3 x nginx", call.ratio if call else None, _CALL_RATIO, "x"),
        _at_most("a stream in 10 writes at most 2.2 x nginx", stream.ratio if stream else None, _STREAM_RATIO, "x"),
        _ahead("a call ahead of every peer with policy", rows, "calls", "32"),
        _ahead("a stream ahead of every peer with policy", rows, "streams", "10"),
        _at_most(f"{_WITH_ACCOUNTS}: at most 4 x nginx", full.ratio if full else None, _ACCOUNTS_RATIO, "x"),
        _ahead(f"{_WITH_ACCOUNTS}: ahead of every peer with policy", rows, "calls", "32", OURS_ACCOUNTS),
        _at_most("added p99 at 50% of capacity at most 1 ms", half.p99 if half else None, _ADDED_P99_MS, "ms"),
        _at_most("RSS of a worker at most 70 MB", own.rss_largest_mb if own else None, _RSS_MB, "MB"),
        _at_most("RSS grows at most 1 MiB in 100,000 calls", memory_growth(record), _GROWTH_MIB, "MiB"),
        _at_most("ready within 1 s", own.start_seconds if own else None, _START_SECONDS, "s"),
        _at_most("TLS to the upstream adds at most 35%", tls_percent(record), _TLS_PERCENT, "%"),
    ]
    enough = f"at least {_PAIRED_ROUNDS} paired rounds"
    return [*aims, Target(aim=enough, found=f"{rounds} rounds", reached=rounds >= _PAIRED_ROUNDS)]
