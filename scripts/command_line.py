"""`python -m scripts.command_line`: write docs/reference/command-line.md anew, from the commands' help."""

from collections.abc import Iterator
from pathlib import Path

import click

from forehearth.cli.main import forehearth

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "command-line.md"
_WIDTH = 100
_OPENING = """\
# The command line

<!-- Written by `python -m scripts.command_line` from the commands' own help. Change those. -->

What each command says when it is called with `--help`.
Errors go to stderr, as one line and a remedy; with `--json`, where a command has it, as one JSON object.

| exit status | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | wrong usage |
| 3 | wrong configuration |
| 4 | a limit of a job was reached: `enrich` |
| 10 to 19 | the step that failed: [`doctor`](#forehearth-doctor) |
| 130 | interrupted |

These environment variables are read, besides the ones that a configuration names itself:

| variable | what it does |
|---|---|
| `FOREHEARTH_API_KEY` | the key that callers need, instead of the stored one; the one that commands call with |
| `FOREHEARTH_URL` | the server that commands ask |
| `FOREHEARTH_TOKEN`, `AZURE_OPENAI_API_KEY` | what commands of developers call with: a token, and a key of Azure |
| `FOREHEARTH_MODELS` | where the weights of embedded models are kept, else `forehearth/models` in the cache folder |
| `XDG_DATA_HOME`, `XDG_CACHE_HOME` | where data and cache are kept, else `~/.local/share` and `~/.cache` |
| `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` | the way to backends that do not set `connection.proxy` |
"""


def page() -> str:
    """The page as it has to be."""
    root = click.Context(forehearth, info_name="forehearth", terminal_width=_WIDTH, **forehearth.context_settings)
    sections = [f"## `{name}`\n\n```text\n{text}\n```\n" for name, text in _helps(forehearth, root)]
    return "\n".join([_OPENING, *sections])


def _helps(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """The command's path and help, then those of its commands."""
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from _helps(below, click.Context(below, parent=context, info_name=name))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
