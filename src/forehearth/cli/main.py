"""The command `forehearth` and its table of commands. Each one's file is imported when that command is run.

Here is the border where every error ends: as one line on stderr, a remedy, and an exit status.
"""

import importlib
import traceback
from collections.abc import Sequence
from typing import Any, Final

import click
import msgspec

from forehearth import __version__
from forehearth.cli.output import CommandFailed, Exit, say_error, say_problems
from forehearth.config.nearest import nearest
from forehearth.config.problems import ConfigError
from forehearth.core.errors import ForehearthError, Misconfigured
from forehearth.core.imports import for_good
from forehearth.telemetry.redaction import Redactor


class Entry(msgspec.Struct, frozen=True):
    """A line of the table: where the command is, what it does, and a call of it to try."""

    target: str
    does: str
    example: str


COMMANDS: Final[dict[str, Entry]] = {
    "serve": Entry("forehearth.cli.serve:serve", "Start the server.", "forehearth serve --config forehearth.yaml"),
    "config": Entry(
        "forehearth.cli.config:config",
        "Check the configuration file, or describe it to an editor.",
        "forehearth config check forehearth.yaml",
    ),
    "models": Entry(
        "forehearth.cli.models:models",
        "List the models that Forehearth brings itself, or fetch one.",
        "forehearth models pull smollm2-135m-instruct",
    ),
    "endpoints": Entry(
        "forehearth.cli.endpoints:endpoints",
        "Show where clients are pointed at, in every shape of the API.",
        "forehearth endpoints --compare",
    ),
    "call": Entry(
        "forehearth.cli.call:call",
        "Send one prompt, or show the request to paste.",
        'forehearth call "Name the capital of France."',
    ),
    "chat": Entry("forehearth.cli.chat:chat", "Chat with a model in the terminal.", "forehearth chat"),
    "doctor": Entry(
        "forehearth.cli.doctor:doctor", "Find out why a call fails, step by step.", "forehearth doctor --shape classic"
    ),
    "connector": Entry(
        "forehearth.cli.connector:connector",
        "Write a connector for Power Platform or Logic Apps.",
        "forehearth connector export power-platform --out connector",
    ),
    "import": Entry(
        "forehearth.cli.importing:import_",
        "Make a configuration of an Azure resource.",
        "forehearth import azure --resource my-resource --output forehearth.yaml",
    ),
    "tls": Entry(
        "forehearth.cli.tls:tls",
        "Make this shell's programs trust the development certificate.",
        'eval "$(forehearth tls trust)"',
    ),
    "keys": Entry(
        "forehearth.cli.keys:keys", "Make, list, rotate and revoke API keys.", "forehearth keys create my-app"
    ),
    "roles": Entry(
        "forehearth.cli.roles:roles",
        "Give roles to people, applications and keys, or take them away.",
        "forehearth roles list",
    ),
    "audit": Entry("forehearth.cli.audit:audit", "Show who did what.", "forehearth audit --since 24h"),
    "status": Entry("forehearth.cli.status:status", "Show how the backends are.", "forehearth status"),
    "cache": Entry("forehearth.cli.cache:cache", "Show what the caches hold, or empty them.", "forehearth cache show"),
    "usage": Entry(
        "forehearth.cli.usage:usage", "Show what calls used, and what they cost.", "forehearth usage --from 7d --by day"
    ),
    "explain": Entry(
        "forehearth.cli.explain:explain", "Show what became of one request.", "forehearth explain REQUEST_ID"
    ),
    "enrich": Entry(
        "forehearth.cli.enrich:enrich",
        "Put a prompt for each row of a table to a model.",
        "forehearth enrich run JOB.yaml",
    ),
    "runs": Entry(
        "forehearth.cli.runs:runs", "Draw what a response or another run did, or follow it.", "forehearth runs list"
    ),
    "connections": Entry(
        "forehearth.cli.connections:connections",
        "Make connections of a project, or remove them.",
        "forehearth connections list",
    ),
    "login": Entry(
        "forehearth.cli.login:login",
        "Get tokens of 'serve --dev-issuer', with no cloud.",
        'eval "$(forehearth login)"',
    ),
    "token": Entry("forehearth.cli.token:token", "Print such a token.", "forehearth token --user developer"),
    "version": Entry("forehearth.cli.version:version", "Show what is installed.", "forehearth version --json"),
}


class Commands(click.Group):
    """A group that knows its commands by the table, and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command itself."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].target.partition(":")
        with for_good():
            command: click.Command = getattr(importlib.import_module(module), name)
        _prepare_help(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name, or an error with the one that was most likely meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            close = nearest(args[0], COMMANDS)
            meant = f" Did you mean '{close}'?" if close else ""
            raise click.UsageError(f"There is no command '{args[0]}'.{meant}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """The table, without importing what it names; then a call of each to try."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.does) for name, entry in COMMANDS.items()])
        with formatter.section("To try"):
            for entry in COMMANDS.values():
                formatter.write_text(entry.example)


def _prepare_help(command: click.Command) -> None:
    """Make of the mark for unfilled lines, two characters in a raw docstring, click's one; keep summaries whole."""
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    command.short_help = command.short_help or " ".join(command.help.partition("\n\n")[0].split())
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        _prepare_help(each)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 done, 1 failed, 2 wrong usage, 3 wrong configuration, 4 limit reached, 130 interrupted.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error that nobody foresaw.")
@click.version_option(__version__, "-V", "--version", prog_name="forehearth", message="%(prog)s %(version)s")
def forehearth(debug: bool) -> None:
    """One door in front of language models: it speaks the Microsoft Foundry and Azure OpenAI inference surface.

    'forehearth serve' alone starts with small models of its own. 'forehearth COMMAND --help' tells more.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status. Errors are printed and never raised."""
    try:
        result: Any = forehearth.main(list(arguments), prog_name="forehearth", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the border of the command line
        return _told(error, debug="--debug" in arguments, as_json="--json" in arguments)
    return result if isinstance(result, int) else Exit.OK


def _told(error: Exception, *, debug: bool, as_json: bool) -> Exit:
    """Print an error, and say what exit status it stands for."""
    status = Exit.FAILED
    match error:
        case click.exceptions.NoArgsIsHelpError():
            status = Exit.USAGE
            click.echo(error.format_message(), err=True)
        case click.ClickException():
            status = Exit.USAGE
            say_error(error.format_message(), _usage_remedy(error), status, as_json=as_json)
        case ConfigError():
            status = Exit.CONFIGURATION
            say_problems(error, as_json=as_json)
        case CommandFailed():
            status = error.exit_code
            say_error(error.message, error.remedy, status, as_json=as_json)
        case ForehearthError():
            status = Exit.CONFIGURATION if isinstance(error, Misconfigured) else Exit.FAILED
            say_error(error.message, "", status, as_json=as_json)
        case _:
            _say_unforeseen(error, debug=debug, as_json=as_json)
    return status


def _usage_remedy(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "forehearth"
    takes_one = context is not None and any(isinstance(each, click.Argument) for each in context.command.params)
    is_more = takes_one and "unexpected extra argument" in error.message
    words = "Words that belong together go into quotes. " if is_more else ""
    return f"{words}'{path} --help' tells what there is."


def _say_unforeseen(error: Exception, *, debug: bool, as_json: bool) -> None:
    redactor = Redactor()
    if debug:
        click.echo(redactor.redact("".join(traceback.format_exception(error))), err=True)
    words = " ".join(redactor.redact(f"{type(error).__name__}: {error}").split())
    if isinstance(error, OSError) and error.strerror:
        place = f" ({error.filename})" if error.filename else ""
        say_error(f"the system refused: {error.strerror}{place}", "", Exit.FAILED, as_json=as_json)
    else:
        remedy = "This is a fault of Forehearth. 'forehearth --debug …' shows where; please report it."
        say_error(f"nobody foresaw this: {words}", remedy, Exit.FAILED, as_json=as_json)
