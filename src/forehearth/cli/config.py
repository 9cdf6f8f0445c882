"""`forehearth config`: check a configuration file, and describe the file to editors."""

import os
from pathlib import Path

import click

from forehearth.cli.output import Exit, problems, say_json, say_problems
from forehearth.config.json_schema import schema as json_schema
from forehearth.config.loader import BUILT_IN, FILE_NAME, load, locate
from forehearth.config.problems import ConfigError
from forehearth.core.settings import Settings
from forehearth.registry import PROVIDER_SETTINGS
from forehearth.server.price_checks import require_prices


@click.group(no_args_is_help=True)
def config() -> None:
    """Check the configuration file, or describe it to an editor."""


@config.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, problems included.")
def check(file: Path | None, as_json: bool) -> int:
    r"""Read FILE as the server would, and say everything that is wrong with it.

    Each problem has its line, its column, the key's path and what to do about it. The exit status is 0 when the file
    can be used and 3 when it cannot. Environment variables and files that the configuration names must be there.
    Without FILE it is ./forehearth.yaml, or the built-in configuration.

    \b
    Examples:
      forehearth config check forehearth.yaml
      forehearth config check --json forehearth.yaml | jq '.problems[].path'
    """
    path = locate(file, Path.cwd())
    name = f"built-in configuration (there is no {FILE_NAME} here)" if path == BUILT_IN else str(path)
    try:
        settings = load(path, providers=PROVIDER_SETTINGS, environ=os.environ)
        require_prices(settings, str(path))
    except ConfigError as error:
        if as_json:
            say_json({"file": str(path), "valid": False, "problems": problems(error)})
        else:
            say_problems(error, as_json=False)
        return Exit.CONFIGURATION
    if as_json:
        counts = {section: list(getattr(settings, section)) for section in ("backends", "deployments", "routes")}
        say_json({"file": str(path), "valid": True, "problems": [], **counts})
    else:
        click.echo(f"{name}: can be used. {_summary(settings)}")
    return Exit.OK


@config.command()
def schema() -> None:
    r"""Print the JSON Schema (draft 2020-12) of the configuration file.

    With it an editor completes keys, shows what they are for and marks mistakes as you type.

    \b
    Example, for editors with the YAML language server:
      forehearth config schema > forehearth.schema.json
      and as the first line of forehearth.yaml:
      # yaml-language-server: $schema=forehearth.schema.json
    """
    say_json(json_schema(PROVIDER_SETTINGS))


def _summary(settings: Settings) -> str:
    backends, deployments, routes = len(settings.backends), len(settings.deployments), len(settings.routes)
    words = f"{_count(backends, 'backend')}, {_count(deployments, 'deployment')} and {_count(routes, 'route')}"
    return f"It has {words}."


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
