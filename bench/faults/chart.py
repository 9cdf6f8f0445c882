"""The picture: calls a second that were answered, by calls a second that were offered."""

from collections.abc import Mapping, Sequence

from bench.svg import FAINT, GRID, OURS, text

_WIDTH, _HEIGHT, _LEFT, _TOP = 860, 260, 80, 70


def svg(points: Sequence[Mapping[str, float]], caption: str) -> str:
    """`points` have `offered` and `answered`, both a second, and `times`, which of the capacity was offered."""
    most = max((max(each["offered"], each["answered"]) for each in points), default=1.0)
    right, bottom = _WIDTH - 30, _TOP + _HEIGHT
    made = [text(12, 26, "Offered more than can be carried: what is still answered (more is better)", size=17)]

    def across(offered: float) -> float:
        return _LEFT + offered / most * (right - _LEFT)

    def up(answered: float) -> float:
        return bottom - answered / most * _HEIGHT

    for step in range(5):
        y = up(most * step / 4)
        made.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{GRID}"/>')
        made.append(text(_LEFT - 10, y + 4, f"{most * step / 4:,.0f}", anchor="end", size=11, colour=FAINT))
    made.append(f'<line x1="{_LEFT}" y1="{bottom}" x2="{right}" y2="{_TOP}" stroke="{FAINT}" stroke-dasharray="4 4"/>')
    line = " ".join(f"{across(each['offered']):.1f},{up(each['answered']):.1f}" for each in points)
    made.append(f'<polyline points="{line}" fill="none" stroke="{OURS}" stroke-width="2.5"/>')
    for each in points:
        x, y = across(each["offered"]), up(each["answered"])
        made.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{OURS}"/>')
        made.append(text(x, bottom + 18, f"{each['times']:g} x", anchor="middle", size=11, colour=FAINT))
    made.append(
        text(right, bottom + 38, "offered, as a multiple of the capacity; dashed: all of it", anchor="end", size=11)
    )
    made.append(text(12, bottom + 58, caption, size=11, colour=FAINT))
    height = bottom + 74
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" role="img" aria-label="Calls answered a second by calls offered a second">'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="#ffffff"/>', *made, "</svg>", ""])
