"""`forehearth enrich`: run jobs that enrich tables, and look after their runs."""

import importlib
import sys
from pathlib import Path
from typing import Any, Final

import click

from forehearth.cli.admin_target import Target
from forehearth.cli.enrich_plan_view import plan_as_json, say_plan
from forehearth.cli.enrich_remote import RemoteWorks
from forehearth.cli.enrich_view import Progress, as_json, say_course, say_run
from forehearth.cli.output import CommandFailed, Exit, say_json
from forehearth.core.secret import Secret

WORKS: Final = "forehearth.cli.enrich_work"
"""What needs the libraries of tables, which are an extra: loaded when a command is carried out, not for its help."""

EVERY: Final = 5.0
"""Seconds between two looks for what came in."""

_job = click.argument("job", type=click.Path(path_type=Path))
_state = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder for the states of jobs.  [default: .forehearth beside the job file]",
)
_url = click.option("--url", help="The server that runs the job, instead of this command; it keeps the state then.")
_key = click.option(
    "--key",
    envvar="FOREHEARTH_API_KEY",
    help="With --url: a key that administers, or one made with --enrich.  [default: as 'forehearth keys' has it]",
)
_json = click.option("--json", "in_json", is_flag=True, help="Answer in JSON.")


@click.group(no_args_is_help=True)
def enrich() -> None:
    """Put a prompt for each row of a table to a model, and the answers into columns of another one."""


@enrich.command()
@_job
@_state
@_url
@_key
@click.option("--retry-failed", is_flag=True, help="Ask the rows in the quarantine again, and nothing else.")
@_json
def run(job: Path, state: Path | None, url: str | None, key: str | None, retry_failed: bool, in_json: bool) -> int:
    r"""Run the job of the file JOB to its end; a run that was broken off goes on where it was.

    Each row lands once, however often this is begun again. What was answered is not paid again. Ctrl-C ends the run in
    good order. The exit status is 0 when all rows have landed, 4 when a limit of the job was reached, and 1 when the
    run stopped for another reason.

    \b
    Examples:
      forehearth enrich run triage.yaml
      forehearth enrich run triage.yaml --state /var/lib/enrich --json
      forehearth enrich run triage.yaml --retry-failed
      forehearth enrich run triage.yaml --url https://forehearth.example
    """
    return _carried_on(_works(url, key, state), job, state, "retry" if retry_failed else "run", in_json=in_json)


@enrich.command()
@_job
@_state
@_url
@_key
@click.option(
    "--sample", type=click.IntRange(0, 1_000), help="Prompts that are asked to tell the rest by.  [default: 20]"
)
@click.option("--no-sample", is_flag=True, help="Ask nothing: the same as --sample 0.")
@_json
def plan(
    *,
    job: Path,
    state: Path | None,
    url: str | None,
    key: str | None,
    sample: int | None,
    no_sample: bool,
    in_json: bool,
) -> None:
    r"""Say what a run of JOB would do and cost, before it is paid.

    Rows and the prompts that differ are counted, and a sample of those is asked: that is paid, counts in the job's
    limits, and is not paid again by the run. What it used gives the range for the rest, right 19 times in 20. Five of
    the results are shown. Where a run was begun, this is about what is left.

    \b
    Examples:
      forehearth enrich plan triage.yaml
      forehearth enrich plan triage.yaml --no-sample --json
    """
    found = _works(url, key, state).plan(job, state, 0 if no_sample else sample)
    if in_json:
        say_json(plan_as_json(found))
    else:
        say_plan(found)


@enrich.command()
@_job
@_state
@click.option(
    "--every", type=click.FloatRange(min=0.1), help="Seconds between two looks, or until messages land.  [default: 5]"
)
@click.option("--once", is_flag=True, help="Enrich what is there and not yet enriched, and end.")
def follow(job: Path, state: Path | None, every: float | None, once: bool) -> int:
    r"""Enrich what comes into the source of JOB: files of a folder, versions of a Delta table, or messages of a topic.

    Each file, and each version's new and changed rows, is a run of its own: its rows land once, however often this is
    begun again, and the job's limits hold for each of them. Files are taken once nobody has written to them for a
    second; names that begin with '.' or '_' are left alone. A topic of Kafka is one run, which lands what came in
    every --every seconds, and goes on where the sink says. Ctrl-C, SIGTERM and 'forehearth enrich cancel' end it in
    good order. The exit status is 0 then, 4 when a limit was reached, and 1 when a run stopped for another reason.

    \b
    Examples:
      forehearth enrich follow incoming.yaml
      forehearth enrich follow nightly.yaml --once
    """
    progress = Progress(sys.stderr)

    def landed(name: str, found: Any) -> None:
        progress.finish()
        where = f": see {found.quarantine}" if found.failed and found.quarantine else ""
        click.echo(f"{name}: {found.done:,} rows landed, {found.failed:,} of them failed{where}")

    def gone(name: str) -> None:
        progress.finish()
        click.echo(f"{name}: is not there any more, and was left out")

    found = _local().follow(job, state, None if once else every or EVERY, progress.show, landed, gone)
    progress.finish()
    return Exit.OK if found is None else _ended(job, found, "follow")


@enrich.command()
@_job
@_state
@_url
@_key
@_json
def resume(job: Path, state: Path | None, url: str | None, key: str | None, in_json: bool) -> int:
    r"""Go on with a run of JOB that was broken off, cancelled or stopped by a limit.

    As 'run', but it refuses where there is nothing to go on with: when the job, or its source, was changed since.

    \b
    Examples:
      forehearth enrich resume triage.yaml
    """
    return _carried_on(_works(url, key, state), job, state, "resume", in_json=in_json)


@enrich.command()
@_job
@_state
@_url
@_key
@_json
def status(job: Path, state: Path | None, url: str | None, key: str | None, in_json: bool) -> None:
    r"""Show how the last run of JOB is.

    \b
    Examples:
      forehearth enrich status triage.yaml
      forehearth enrich status triage.yaml --json | jq .status
    """
    found, working = _works(url, key, state).look(job, state)
    if in_json:
        say_json(as_json(found) | {"working": working})
    else:
        say_run(found, working=working)


@enrich.command()
@_job
@_state
@_url
@_key
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the page goes.  [default: the job's state; here, with --url]",
)
def report(job: Path, state: Path | None, url: str | None, key: str | None, html: Path | None) -> None:
    r"""Show what became of the last run of JOB, and write it as a page of HTML with charts and some of the rows.

    \b
    Examples:
      forehearth enrich report triage.yaml
      forehearth enrich report triage.yaml --html report.html
    """
    found, path = _works(url, key, state).report(job, state, html)
    say_run(found, working=False)
    say_course(found)
    click.echo(f"\nwritten to {path}")


@enrich.command()
@_job
@_state
@_url
@_key
def cancel(job: Path, state: Path | None, url: str | None, key: str | None) -> None:
    r"""End the run of JOB that is under way. What landed stays, and 'resume' goes on with it.

    \b
    Examples:
      forehearth enrich cancel triage.yaml
    """
    found = _works(url, key, state).cancel(job, state)
    who = "the server" if url else f"process {found.process}"
    click.echo(f"asked {who} to end the run {found.id}")


def _carried_on(works: Any, job: Path, state: Path | None, deed: str, *, in_json: bool) -> int:
    progress = Progress(sys.stderr)
    found = works.carry_on(job, state, progress.show, deed)
    progress.finish()
    if in_json:
        say_json(as_json(found))
    else:
        say_run(found, working=False)
    return _ended(job, found)


def _ended(job: Path, found: Any, deed: str = "resume") -> int:
    """The exit status of a run. Raises `CommandFailed` where it is not complete, or no row has an answer."""
    if found.status == "completed":
        where = found.quarantine or "the column _error"
        again = f"; to ask them again: forehearth enrich run {job} --retry-failed" if found.quarantine else ""
        if found.failed and found.failed >= found.done:
            often = max(found.errors, key=found.errors.__getitem__, default="")
            raise CommandFailed(f"no row has an answer: {often}", f"Why is told in {where}{again}")
        if found.failed:
            click.echo(f"{found.failed:,} rows failed: why is told in {where}{again}", err=True)
        return Exit.OK
    if found.status == "interrupted":
        return Exit.INTERRUPTED
    if found.status == "incomplete":
        raise CommandFailed(
            f"the run is incomplete: {found.reason}",
            f"Raise limits.{found.limit} in {job}, then: forehearth enrich {deed} {job}",
            Exit.INCOMPLETE,
        )
    raise CommandFailed(f"the run is {found.status}: {found.reason}", f"To go on: forehearth enrich {deed} {job}")


def _works(url: str | None, key: str | None, state: Path | None) -> Any:
    """What carries the commands out: this program, or a server."""
    if not url:
        return _local()
    if state is not None:
        raise click.UsageError("--state is for runs of this command: with --url the server keeps the state.")
    return RemoteWorks(Target(url=url, key=None if key is None else Secret(key), data_dir=None, config=None))


def _local() -> Any:
    return importlib.import_module(WORKS)
