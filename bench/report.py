"""The record of a run as a page of Markdown: targets, tables, and what was and was not compared."""

from collections.abc import Callable, Sequence
from typing import Any

from bench.summary import Added, Cost, Row, by_round, summarise
from bench.targets import judge, memory_growth
from bench.verdict import busiest

CHART = "data-plane.svg"
_HEADING = """\
# What a call costs

`make bench` measures this gateway beside others: the same mock upstream, the same load generator, one machine, one
run. `make bench BENCH_PEERS='nginx envoy'` chooses the peers. The raw record of this run is in `data-plane.json`.
"""
_METHOD = """\
## How it was measured

The gateway has one core to itself; the load generator and the mock, two small C programs, share the other. A call is
a chat completion of {request:,} bytes whose reply has {reply:,} bytes; a stream has 102 events, sent in 10 writes 2 ms
apart or in 102 writes 0.5 ms apart. Connections are kept alive. Every answer is checked: its status, its length or
number of events, and its text. CPU is what the scheduler booked on the gateway's whole process tree, in closed loops;
streams are taken at {streams} open at once. All stacks take turns within each of {rounds} rounds, in both orders, and
are started anew for every turn. Shown is the least value of all rounds and, in brackets, the median of the ratios to
nginx in the same round. Gaps below 15% are noise.

Capacity is what one core can carry by the CPU time of a call at 32 connections, or of a stream in 10 writes. At a
share of that rate calls are due at even intervals; latency counts from the moment a call was due, so a gateway that
falls behind cannot hide it. 'Added' is over calling the mock directly at the same rate just before; the first byte of
a stream is the first byte of its first event. Each round has {pairs} such pairs of {window:g} s each (one longer pair,
where a stack is so slow that too few calls would be due); shown is the median of the pairs of all rounds. A virtual
machine stands still for some milliseconds now and then, and a p99 of a window in which it did is that of the pause: the
record has every pair. RSS is of the whole process tree, at the first answer and after the turn, and of its largest
process (a worker) alone; the most of all rounds. The start counts from the start of the program to its first good
answer to a call.

Before each turn, with nothing of this running, the machine was busy with other things for at most {busy:.0%} of the
time. Load generator and mock together took {harness} of CPU for a call at 32 connections, without a gateway between
them.
"""


def _number(value: float | None, digits: int | None = None) -> str:
    """Three significant figures are more than the noise allows; small values keep two decimals."""
    if value is None:
        return "-"
    if digits is None:
        digits = 0 if abs(value) >= 10 else 1 if abs(value) >= 1 else 2
    return f"{value:,.{digits}f}"


def _cost(cost: Cost | None) -> str:
    if cost is None or cost.least is None:
        return "-"
    ratio = "" if cost.ratio is None else f" ({_number(cost.ratio, 1 if cost.ratio < 100 else 0)})"
    return _number(cost.least) + ratio


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    ruler = ["---", *("---:" for _ in heads[1:])]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, ruler, *lines))


def _lines(rows: Sequence[Row], cells: Callable[[Row], Sequence[str]], width: int) -> list[list[str]]:
    lines = []
    for row in rows:
        if row.state == "measured":
            lines.append([row.title, *cells(row)])
        else:
            lines.append([f"{row.title}: **{row.state}**", *["-"] * width])
    return lines


def cpu_table(rows: Sequence[Row]) -> str:
    """CPU microseconds of calls and streams."""
    heads = [
        "CPU µs (x nginx)",
        *(f"call, c={n}" for n in ("1", "32", "256")),
        "stream, 10 writes",
        "stream, 102 writes",
    ]

    def cells(row: Row) -> list[str]:
        calls = [_cost(row.calls.get(n)) for n in ("1", "32", "256")]
        return [*calls, *(_cost(row.streams.get(n)) for n in ("10", "102"))]

    shown = [row for row in rows if row.name != "direct"]
    return _table(heads, _lines(shown, cells, 5))


def _latency_table(rows: Sequence[Row], rates: Callable[[Row], dict[str, Added]], *, first_byte: bool) -> str:
    heads = ["Added ms"]
    for share in ("50", "80"):
        heads += [f"{share}%: a second", "p50", "p99", *(["first byte p99"] if first_byte else [])]

    def cells(row: Row) -> list[str]:
        shown = []
        for share in ("50", "80"):
            added = rates(row).get(share, Added())
            shown += [_number(added.rate, 0), _number(added.p50, 2), _number(added.p99, 2)]
            shown += [_number(added.first_byte_p99, 2)] if first_byte else []
        return shown

    shown = [row for row in rows if row.name != "direct"]
    return _table(heads, _lines(shown, cells, len(heads) - 1))


def footprint_table(rows: Sequence[Row]) -> str:
    """Memory, start, connections, errors."""
    heads = [
        "",
        "version",
        "RSS MB, start",
        "RSS MB, end",
        "largest process",
        "first answer, s",
        "upstream connections",
        "errors",
    ]

    def cells(row: Row) -> list[str]:
        memory = [_number(mb, 0) for mb in (row.rss_start_mb, row.rss_end_mb, row.rss_largest_mb)]
        return [
            row.version,
            *memory,
            _number(row.start_seconds, 2),
            _number(row.upstream_connections, 0),
            str(row.errors),
        ]

    shown = [row for row in rows if row.name != "direct"]
    return _table(heads, _lines(shown, cells, len(heads) - 1))


def targets_table(record: dict[str, Any], rows: Sequence[Row]) -> str:
    """The aims with yes or no."""
    lines = [[target.aim, target.found, "yes" if target.reached else "**no**"] for target in judge(record, rows)]
    return _table(["Aim", "found", "reached"], lines)


def _setting(record: dict[str, Any]) -> str:
    machine = record["machine"]
    return (
        f"Taken {record['taken'][:10]} of commit `{record['commit']}` on {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, {machine['system']}, Linux {machine['kernel']} {machine['architecture']}, "
        f"Python {machine['python']}.\n"
    )


def _harness(record: dict[str, Any]) -> str:
    direct = record["stacks"].get("direct")
    if not direct:
        return "an unmeasured amount"
    load = by_round(direct, "calls", "32", "load_us")
    mock = by_round(direct, "calls", "32", "mock_us")
    both = [load[n] + mock[n] for n in load if n in mock]
    return f"{min(both):.0f} µs" if both else "an unmeasured amount"


def _gaps(rows: Sequence[Row]) -> str:
    """Everything that is not a plain figure, said aloud."""
    said = [f"- **{row.title} is {row.state}**: {row.reason}" for row in rows if row.state != "measured"]
    said += [f"- {row.title}, {problem}" for row in rows if row.state == "measured" for problem in row.problems]
    return "\n".join(["## What failed or is missing", "", *said, ""]) if said else ""


def markdown(record: dict[str, Any]) -> str:
    """The whole page."""
    rows = summarise(record)
    plan = record["plan"]
    method = _METHOD.format(
        request=1078,
        reply=757,
        streams=plan["stream_connections"],
        rounds=plan["rounds"],
        pairs=plan["pairs"],
        window=plan["window"],
        harness=_harness(record),
        busy=busiest(record),
    )
    rise = memory_growth(record)
    growth = (
        "Memory over many calls was not measured."
        if rise is None
        else f"Forehearth's memory rose by {rise:.2f} MiB for 100,000 calls, from {plan['growth_settled']:,} to "
        f"{plan['growth_calls']:,} calls at 32 connections."
    )
    policy = [f"- **{row.title}**: {row.policy}" for row in rows if row.name != "direct"]
    parts = [
        _HEADING,
        _setting(record),
        f"![CPU time of a call and of a stream on a logarithmic scale]({CHART})\n",
        "## Aims\n",
        targets_table(record, rows) + "\n",
        _gaps(rows),
        "## CPU\n",
        cpu_table(rows) + "\n",
        "## Latency at a fixed rate: calls\n",
        _latency_table(rows, lambda row: row.call_rates, first_byte=False) + "\n",
        "## Latency at a fixed rate: streams in 10 writes\n",
        _latency_table(rows, lambda row: row.stream_rates, first_byte=True) + "\n",
        "## Memory, start, connections\n",
        footprint_table(rows) + "\n",
        growth + "\n",
        "## What each one does for its time\n",
        "The stacks do different work, so a ratio is the price of that work as much as the quality of its making.\n",
        "\n".join(policy) + "\n",
        method,
    ]
    return "\n".join(part for part in parts if part)
