"""The picture: how many paraphrases are answered and how many answers are wrong, at every threshold."""

from collections.abc import Sequence

from bench.semantic.pairs import Count
from bench.svg import FAINT, GRID, INK, OTHERS, OURS, text

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 860, 250, 70, 84, 90
_LINES = (("guarded", OURS, "with the guards"), ("plain", OTHERS, "by the vectors alone"))


def svg(curves: dict[str, Sequence[Count]], chosen: float, caption: str) -> str:
    """`curves` are `guarded` and `plain`; `chosen` is the threshold that is the default."""
    panels = (
        ("Paraphrases that had the right answer (more is better)", "hit_rate"),
        ("Wrong answers among all that were given (less is better)", "wrong_share"),
    )
    made = [text(12, 26, "A semantic cache on questions that ask the same, and on look-alikes", size=17)]
    x = 12.0
    for _, colour, words in _LINES:
        made.append(f'<line x1="{x}" y1="48" x2="{x + 26}" y2="48" stroke="{colour}" stroke-width="3"/>')
        made.append(text(x + 34, 52, words, size=12, colour=FAINT))
        x += 70 + 7 * len(words)
    y = float(_TOP)
    for heading, member in panels:
        made += _panel(heading, member, curves, chosen, y)
        y += _HEIGHT + _GAP
    made.append(text(12, y - 22, caption, size=11, colour=FAINT))
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

    made = [text(12, top, heading, size=15)]
    steps = round(highest / 0.1)
    for step in range(steps + 1):
        y = up(step * 0.1)
        made.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{GRID}"/>')
        made.append(text(_LEFT - 10, y + 4, f"{step * 10} %", anchor="end", size=11, colour=FAINT))
    for step in range(round(farthest / 0.05) + 1):
        x = across(step * 0.05)
        made.append(text(x, bottom + 18, f"{step * 0.05:.2f}", anchor="middle", size=11, colour=FAINT))
    made.append(text(right, bottom + 36, "score_threshold: how far apart two messages may be", anchor="end", size=11))
    x = across(chosen)
    made.append(
        f'<line x1="{x:.1f}" y1="{top + 16}" x2="{x:.1f}" y2="{bottom}" stroke="{INK}" stroke-dasharray="4 4"/>'
    )
    made.append(text(x + 6, top + 30, f"default {chosen:g}", size=11))
    for name, colour, _ in _LINES:
        points = " ".join(f"{across(each.threshold):.1f},{up(getattr(each, member)):.1f}" for each in curves[name])
        made.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
    return made
