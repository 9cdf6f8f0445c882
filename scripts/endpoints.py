"""`python -m scripts.endpoints`: write the tables of docs/reference/endpoints.md anew, from shapes and endpoint tables.

A table stands between `<!-- made: NAME -->` and `<!-- end -->`; all else on the page is written by hand.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from forehearth.connectors import listing
from forehearth.connectors.places import Address
from forehearth.connectors.shapes import SHAPES, ShapeName
from forehearth.server import served
from forehearth.wire.foundry_models import PREFIX, ROOT_PATHS
from forehearth.wire.summaries import summary

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "endpoints.md"
_MADE = re.compile(r"(?P<begin><!-- made: (?P<name>[a-z0-9]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)
_SERVER = Address.of_url("http://127.0.0.1:8080")
_COMPARED: tuple[ShapeName, ...] = ("foundry", "v1", "classic", "project")
_NAMED_VERSION = "v1"


def page() -> str:
    """The page as it has to be."""
    makers: Mapping[str, Callable[[], str]] = {
        "shapes": _shapes,
        **{name: partial(_operations, name) for name in _COMPARED},
    }
    return _MADE.sub(
        lambda found: f"{found['begin']}{makers[found['name']]()}\n{found['end']}", PAGE.read_text(encoding="utf-8")
    )


def _shapes() -> str:
    every = [each for each in listing.listed(_SERVER, served.endpoints()) if each.shape.name in _COMPARED]
    table = listing.comparison(every)
    return listing.markdown_table([row for row in table if row[0] != "operations"])


def _operations(name: ShapeName) -> str:
    shape = SHAPES[name]
    lines: list[Sequence[str]] = [("method and path", "what it does")]
    if name == "foundry":
        lines = [("method and path", "at the origin alone", "what it does")]
    for endpoint in served.endpoints()[shape.surface]:
        cells = [f"`{endpoint.method} {endpoint.path}{_version(name, endpoint.path)}`", summary(endpoint)]
        if name == "foundry":
            root = endpoint.path.removeprefix(PREFIX.decode())
            cells.insert(1, f"`{endpoint.method} {root}`" if root.encode() in ROOT_PATHS else "")
        lines.append(cells)
    return listing.markdown_table(lines)


def _version(name: ShapeName, path: str) -> str:
    """How a path is called where it asks for a version."""
    below = path.removeprefix(SHAPES[name].operations_base)
    if name == "classic" and below != "/":
        return "?api-version="
    if name == "project" and below != "/" and not below.startswith("/openai/v1"):
        return f"?api-version={_NAMED_VERSION}"
    return ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
