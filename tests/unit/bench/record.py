"""A record of a run as `rounds.record` writes it, with figures that are easy to reckon with."""

import copy

PLAN = {
    "connections": [1, 32, 256],
    "shares": [50, 80],
    "rounds": 4,
    "stream_connections": 32,
    "pairs": 4,
    "window": 0.5,
    "growth_calls": 300_000,
    "growth_settled": 60_000,
}
MACHINE = {
    "cpu": "Some CPU",
    "cores": 2,
    "memory_gib": 8.0,
    "kernel": "6.1",
    "architecture": "x86_64",
    "system": "Some Linux",
    "python": "3.11.7",
}


def figures(call, stream, *, added_p99=0.4, rss=40.0, start=0.5, errors=0):
    cost = {"load_us": 6.0, "mock_us": 5.0, "per_second": 1.0}
    pair = {"added_p50_ms": 0.1, "added_p99_ms": added_p99, "added_first_byte_p99_ms": 0.2}
    added = {"rate": 1000.0, "pairs": [pair, pair | {"added_p99_ms": added_p99 + 9}, pair, pair]}
    return {
        "start_seconds": start,
        "rss_start_mib": rss - 5,
        "rss_end_mib": rss + 30,
        "rss_largest_mib": rss,
        "upstream_connections": 256,
        "errors": errors,
        "busy_before": 0.02,
        "calls": {n: cost | {"cpu_us": call} for n in ("1", "32", "256")},
        "streams": {n: cost | {"cpu_us": stream} for n in ("10", "102")},
        "rates": {kind: {"50": dict(added), "80": dict(added)} for kind in ("calls", "streams")},
    }


def row(title, rounds, *, has_policy=False, state="measured", reason="", problems=()):
    return {
        "title": title,
        "version": "1.2.3",
        "policy": f"What {title} does.",
        "has_policy": has_policy,
        "state": state,
        "reason": reason,
        "problems": list(problems),
        "rounds": {str(number): found for number, found in enumerate(rounds, 1)},
    }


def good_record():
    nginx = [figures(call, 150.0) for call in (20.0, 22.0, 21.0, 20.0)]
    ours = [figures(call, 270.0) for call in (40.0, 42.0, 44.0, 40.0)]
    accounts = [figures(60.0, 300.0)] * 4
    over_tls = [figures(call, 300.0) for call in (50.0, 52.0, 55.0, 50.0)]
    peer = [figures(110.0, 1400.0) for _ in range(4)]
    direct = [figures(None, None) for _ in range(4)]
    settled = [(60_000, 44.0), (180_000, 44.3), (300_000, 44.6)]
    return copy.deepcopy(
        {
            "taken": "2026-01-02T03:04:05+00:00",
            "commit": "0123456789ab",
            "machine": MACHINE,
            "plan": PLAN,
            "stacks": {
                "direct": row("mock", direct),
                "nginx": row("nginx", nginx),
                "forehearth": row("Forehearth", ours, has_policy=True),
                "forehearth-tls": row("Forehearth, TLS upstream", over_tls, has_policy=True),
                "forehearth-accounts": row("Forehearth, limits and ledger", accounts, has_policy=True),
                "tensorzero": row("TensorZero", peer, has_policy=True),
            },
            "growth": {"points": [(15_000, 40.0), *settled, (240_000, 44.45)], "problems": []},
        }
    )
