"""What the pictures of all pages have in common: their colours, and text."""

from html import escape

INK, FAINT, GRID = "#1f2933", "#616e7c", "#d9dee4"
OURS, OTHERS = "#c2410c", "#1d4ed8"


def text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 13, colour: str = INK) -> str:
    """Words at a place."""
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {where} font-size="{size}" fill="{colour}">{escape(words)}</text>'
