"""The report of a run as one page of HTML: what became of it, its course, its latencies, some of its rows.

Nothing in it is fetched from anywhere and nothing in it is run, and every value is escaped: rows and answers are
anybody's text.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from typing import Any, Final

from forehearth import __version__
from forehearth.core.money import UNIT, plain
from forehearth.enrichment.run_record import Point, Run, latencies

ROWS: Final = 10
"""Rows that are shown."""
_WIDTH, _HEIGHT = 640, 160
_LONGEST: Final = 120
"""Characters of a value in the table of rows."""

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --line: #2563a8; --faint: #8884; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --paper: #16181c; --line: #7db4f0; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 46rem;
  margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; font-weight: 600; }
th, td { padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--faint); vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1.5rem 0; } figcaption { font-weight: 600; } svg { width: 100%; height: auto; }
svg path { fill: none; stroke: var(--line); stroke-width: 2; } svg rect { fill: var(--line); }
svg text { fill: var(--ink); font-size: 11px; } svg line { stroke: var(--faint); }
.rows { overflow-x: auto; }
"""


def page(run: Run, rows: Sequence[Mapping[str, Any]]) -> str:
    """The page. `rows` are some that landed, perhaps none."""
    title = escape(f"{run.job}: {run.status}")
    parts = [
        f"<h1>{title}</h1>",
        _table(facts(run)),
        _figure("Rows a second", _line(run.points, lambda each: each.done, is_rate=True), "rows per second"),
        _figure("Tokens", _line(run.points, lambda each: each.tokens), "tokens, in all"),
        _figure("Cost", _line(run.points, lambda each: each.cost / UNIT), f"{run.currency}, in all")
        if run.spent.cost
        else "",
        _figure("Latency of calls", _bars(latencies(run.latency)), "calls, by how long they took"),
        _errors(run),
        _rows(rows),
    ]
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f'<meta name="viewport" content="width=device-width"><title>{title}</title><style>{_STYLE}</style></head>'
    )
    foot = f"<p>Forehearth {escape(__version__)}, {_moment(run.updated)}</p>"
    return f"{head}<body>{''.join(parts)}{foot}</body></html>\n"


def facts(run: Run) -> dict[str, str]:
    """What became of a run, in words."""
    spent = run.spent
    total = f" of {run.rows:,}" if run.rows is not None else ""
    return {
        "run": run.id,
        "state": f"{run.status}: {run.reason}" if run.reason else run.status,
        "source": run.source_version,
        "job's fingerprint": run.fingerprint,
        "rows": f"{run.done:,}{total} landed, {run.failed:,} of them failed, {run.reused:,} answered by what was known",
        "requests": f"{spent.requests:,}",
        "tokens": f"{spent.prompt_tokens:,} of prompts, {spent.completion_tokens:,} of answers",
        "cost": f"{plain(spent.cost)} {run.currency}" if spent.cost or not spent.unpriced else "not known",
        "time": f"{spent.seconds:,.0f} s of work",
        "begun": _moment(run.started),
    }


def _table(pairs: Mapping[str, str]) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(words)}</td></tr>" for name, words in pairs.items())
    return f"<table>{rows}</table>"


def _figure(caption: str, drawing: str, about: str) -> str:
    if not drawing:
        return ""
    return (
        f'<figure><figcaption>{escape(caption)}</figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(about)}">{drawing}</svg></figure>'
    )


def _line(points: Sequence[Point], of: Callable[[Point], float], *, is_rate: bool = False) -> str:
    """A line over the seconds of work: of a figure, or of how much it grew in a second."""
    if len(points) < 2:  # noqa: PLR2004 - a line has two ends
        return ""
    drawn = [(each.seconds, of(each)) for each in points]
    if is_rate:
        pairs = pairwise(drawn)
        drawn = [(after[0], (after[1] - before[1]) / max(after[0] - before[0], 1e-9)) for before, after in pairs]
    last, most = max(x for x, _ in drawn) or 1.0, max(y for _, y in drawn) or 1.0
    steps = [
        f"{'L' if at else 'M'}{40 + x / last * (_WIDTH - 60):.1f},{_HEIGHT - 20 - y / most * (_HEIGHT - 40):.1f}"
        for at, (x, y) in enumerate(drawn)
    ]
    floor = _HEIGHT - 20
    return (
        f'<line x1="40" y1="{floor}" x2="{_WIDTH - 20}" y2="{floor}"/>'
        f'<path d="{" ".join(steps)}"/><text x="0" y="24">{most:,.6g}</text>'
        f'<text x="{_WIDTH - 20}" y="{_HEIGHT - 5}" text-anchor="end">{last:,.0f} s</text>'
    )


def _bars(bars: Sequence[tuple[str, int]]) -> str:
    if not bars:
        return ""
    most, width = max(count for _, count in bars), (_WIDTH - 20) / len(bars)
    drawn = []
    for at, (name, count) in enumerate(bars):
        x, height = 10 + at * width, count / most * (_HEIGHT - 50)
        middle = x + width / 2
        drawn.append(
            f'<rect x="{x + 2:.1f}" y="{_HEIGHT - 20 - height:.1f}" width="{width - 4:.1f}" height="{height:.1f}"/>'
            f'<text x="{middle:.1f}" y="{_HEIGHT - 5}" text-anchor="middle">≤ {name}</text>'
            f'<text x="{middle:.1f}" y="{_HEIGHT - 24 - height:.1f}" text-anchor="middle">{count:,}</text>'
        )
    return "".join(drawn)


def _errors(run: Run) -> str:
    if not run.errors:
        return ""
    counted = sorted(run.errors.items(), key=lambda each: -each[1])
    rows = "".join(f'<tr><td>{escape(code)}</td><td class="n">{count:,}</td></tr>' for code, count in counted)
    return f"<h2>Rows without an answer</h2><table><tr><th>reason</th><th>rows</th></tr>{rows}</table>"


def _rows(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    names = [name for name in rows[0] if not name.startswith("_")]
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{_value(row[name])}</td>' for name in names)}</tr>" for row in rows)
    return f'<h2>Some rows</h2><div class="rows"><table><tr>{head}</tr>{body}</table></div>'


def _value(value: object) -> str:
    text = "" if value is None else " ".join(str(value).split())
    return escape(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")


def _moment(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
