"""`forehearth version`: what is installed, for bug reports and scripts. It imports none of it."""

import platform
from importlib import metadata
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec
from typing import Final

import click

from forehearth import __version__
from forehearth.cli.output import say_json

PARTS: Final = ("uvicorn", "httptools", "uvloop", "starlette", "msgspec", "xllamacpp", "onnxruntime")
"""The packages that decide how the server behaves."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON; what is not installed is null.")
def version(as_json: bool) -> None:
    r"""Show the versions of Forehearth, Python and the parts that matter.

    \b
    Examples:
      forehearth version
      forehearth version --json | jq -r .forehearth
    """
    found: dict[str, str | None] = {
        "forehearth": __version__,
        "modules": "source" if _is_source("forehearth.policies.limits") else "compiled",
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        **{name: _installed(name) for name in PARTS},
    }
    if as_json:
        say_json(found)
        return
    width = max(map(len, found))
    for name, value in found.items():
        click.echo(f"{name:<{width}}  {value or 'not installed'}")


def _is_source(module: str) -> bool:
    """Whether a module that can be compiled is not."""
    spec = find_spec(module)
    return spec is not None and isinstance(spec.loader, SourceFileLoader)


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
