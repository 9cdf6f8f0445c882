"""The shapes beside each other: as JSON, as a page, and as a comparison; made of the shapes and the endpoint tables."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from forehearth.connectors.places import Address
from forehearth.connectors.shapes import KEY_FORMS, SHAPES, Shape
from forehearth.core.endpoint import Endpoint

Tables = Mapping[str, Sequence[Endpoint]]
"""Every endpoint, by the surface that answers it."""

_DEPLOYMENT: Final = "{deployment}"
"""What a path that names the deployment has."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A shape at an address."""

    shape: Shape
    base: str
    operations: tuple[str, ...]
    """`METHOD /path` below the surface's own base, in the table's order."""


def listed(address: Address, tables: Tables) -> list[Listed]:
    """Every shape there."""
    return [
        Listed(shape=shape, base=address.base(shape), operations=operations(shape, tables)) for shape in SHAPES.values()
    ]


def operations(shape: Shape, tables: Tables) -> tuple[str, ...]:
    """What is served in this shape, but for the index of a base URL itself."""
    found = [
        (each.method, each.path.removeprefix(shape.operations_base))
        for each in tables[shape.surface]
        if not each.path.endswith("/")
    ]
    return tuple(f"{method} {path}" for method, path in found if path.startswith(shape.under))


def families(each: Listed) -> list[str]:
    """What there is, by the paths' beginnings: `/chat/completions`, `/files`."""
    paths = [operation.partition(" ")[2] for operation in each.operations]
    names = dict.fromkeys(path if _DEPLOYMENT in path else path.partition("/{")[0] for path in paths)
    return [
        name for name in names if not any(name.startswith(f"{other}/") for other in names if _DEPLOYMENT not in name)
    ]


def as_json(each: Listed) -> dict[str, Any]:
    """One shape, for programs."""
    shape = each.shape
    return {
        "shape": shape.name,
        "title": shape.title,
        "baseUrl": each.base,
        "apiVersion": {"sent": shape.version.sent, "rule": plain(shape.version.rule)},
        "credentials": list(shape.credentials),
        "keyHeader": "api-key" if shape.key_header == "api-key" else "Authorization: Bearer",
        "tokenScope": shape.scope,
        "deploymentNamedIn": shape.named_in,
        "sdks": [{"package": sdk.package, "opened": sdk.opened.replace("BASE", each.base)} for sdk in shape.sdks],
        "state": plain(shape.state),
        "operations": list(each.operations),
    }


def rows(each: Listed) -> list[tuple[str, str]]:
    """One shape, as names and values in words; code stands between backquotes."""
    shape = each.shape
    return [
        ("base URL", f"`{each.base}`"),
        ("api-version", f"`{shape.version.sent}`; {shape.version.rule}" if shape.version.sent else shape.version.rule),
        ("credentials", credentials(shape)),
        ("token scope", f"`{shape.scope}`"),
        ("deployment", "`model` in the body" if shape.named_in == "body" else "in the path"),
        ("SDKs", "; ".join(f"{sdk.package}: `{sdk.opened.replace('BASE', each.base)}`" for sdk in shape.sdks)),
        ("state", shape.state),
        ("operations", ", ".join(f"`{family}`" for family in families(each))),
    ]


def credentials(shape: Shape) -> str:
    """What is taken, in words."""
    if "key" not in shape.credentials:
        return "a token alone: `Authorization: Bearer TOKEN`"
    return f"a key ({', '.join(f'`{form}`' for form in KEY_FORMS)}), or a token"


def comparison(every: Sequence[Listed]) -> list[list[str]]:
    """A table with a column a shape; the first row has their titles."""
    tables = [rows(each) for each in every]
    heads = ["", *(f"{each.shape.title} (`{each.shape.name}`)" for each in every)]
    named = [[line[0][0], *(value for _, value in line)] for line in zip(*tables, strict=True)]
    return [heads, *named]


def markdown_table(table: Sequence[Sequence[str]]) -> str:
    """A table of Markdown, whose first row is its head."""
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in table]
    return "\n".join([lines[0], "|" + "---|" * len(table[0]), *lines[1:]])


def markdown(each: Listed) -> str:
    """One shape as a section of a page: what it takes, then every operation."""
    told = markdown_table([("", ""), *rows(each)[:-1]])
    served = "\n".join(f"- `{operation}`" for operation in each.operations)
    return f"## {each.shape.title} (`{each.shape.name}`)\n\n{told}\n\n{served}"


def plain(text: str) -> str:
    """Words for a terminal: without the backquotes."""
    return text.replace("`", "")
