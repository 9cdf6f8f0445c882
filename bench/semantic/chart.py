"""The picture: how many paraphrases are answered and how many answers are wrong, at every threshold."""

from collections.abc import Sequence
from html import escape

from bench.semantic.pairs import Count

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 860, 250, 70, 84, 90
_INK, _FAINT, _GRID = "#1f2933", "#616e7c", "#d9dee4"
_GUARDED, _PLAIN = "#c2410c", "#1d4ed8"
_LINES = (("guarded", _GUARDED, "with the guards"), ("plain", _PLAIN, "by the vectors alone"))


def svg(curves: dict[str, Sequence[Count]], chosen: float, caption: str) -> str:
    """`curves` are `guarded` and `plain`; `chosen` is the threshold that is the default."""
    panels = (
        ("Paraphrases that had the right answer (more is better)", "hit_rate"),
        ("Wrong answers among all that were given (less is better)", "wrong_share"),
    )
    made = [_text(12, 26, "A semantic cache on questions that ask the same, and on look-alikes", size=17)]
    x = 12.0
    for _, colour, words in _LINES:
        made.append(f'<line x1="{x}" y1="48" x2="{x + 26}" y2="48" stroke="{colour}" stroke-width="3"/>')
        made.append(_text(x + 34, 52, words, size=12, colour=_FAINT))
        x += 70 + 7 * len(words)
    y = float(_TOP)
    for heading, member in panels:
        made += _panel(heading, member, curves, chosen, y)
        y += _HEIGHT + _GAP
    made.append(_text(12, y - 22, caption, size=11, colour=_FAINT))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y:.0f}" width="{_WIDTH}" height="{y:.0f}" '
        'font-family="system-ui, sans-serif" role="img" aria-label="Hit rate and share of wrong answers by threshold">'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="#ffffff"/>', *made, "</svg>", ""])


def _panel(heading: str, member: str, curves: dict[str, Sequence[Count]], chosen: float, top: float) -> list[str]:
    farthest = max(each.threshold for curve in curves.values() for each in curve)
    highest = max(0.1, *(getattr(each, member) for curve in curves.values() for each in curve))
    highest = -(-highest // 0.1) * 0.1
    bottom, right = top + 16 + _HEIGHT, _WIDTH - 30

    def across(threshold: float) -> float:
        return _LEFT + threshold / farthest * (right - _LEFT)

    def up(share: float) -> float:
        return bottom - share / highest * (_HEIGHT - 10)

    made = [_text(12, top, heading, size=15)]
    steps = round(highest / 0.1)
    for step in range(steps + 1):
        y = up(step * 0.1)
        made.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{_GRID}"/>')
        made.append(_text(_LEFT - 10, y + 4, f"{step * 10} %", anchor="end", size=11, colour=_FAINT))
    for step in range(round(farthest / 0.05) + 1):
        x = across(step * 0.05)
        made.append(_text(x, bottom + 18, f"{step * 0.05:.2f}", anchor="middle", size=11, colour=_FAINT))
    made.append(_text(right, bottom + 36, "score_threshold: how far apart two messages may be", anchor="end", size=11))
    x = across(chosen)
    made.append(
        f'<line x1="{x:.1f}" y1="{top + 16}" x2="{x:.1f}" y2="{bottom}" stroke="{_INK}" stroke-dasharray="4 4"/>'
    )
    made.append(_text(x + 6, top + 30, f"default {chosen:g}", size=11))
    for name, colour, _ in _LINES:
        points = " ".join(f"{across(each.threshold):.1f},{up(getattr(each, member)):.1f}" for each in curves[name])
        made.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
    return made


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 13, colour: str = _INK) -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {where} font-size="{size}" fill="{colour}">{escape(words)}</text>'
