"""`forehearth doctor`: every step on the way to an answer, one after the other, and what to do where one fails."""

import asyncio

import click

from forehearth.cli.call import DEPLOYMENT_OPTION, SHAPE_OPTION, VERSION_OPTION
from forehearth.cli.connection import Wish, address_of, auth_of, authority_of, on_connection
from forehearth.cli.doctor_steps import Doctor, Patient
from forehearth.cli.output import say_json
from forehearth.connectors.diagnosis import EXIT_STATUS, Check
from forehearth.connectors.shapes import SHAPES, ShapeName
from forehearth.core.clock import SystemClock

_WIDTH = max(map(len, EXIT_STATUS))
_SHOWN = {"ok": "ok", "warning": "warning", "failed": "FAILED", "skipped": "skipped"}


@click.command()
@SHAPE_OPTION
@DEPLOYMENT_OPTION
@VERSION_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@on_connection
def doctor(*, wish: Wish, shape: ShapeName, deployment: str | None, api_version: str | None, as_json: bool) -> int:
    r"""Check the way to an answer step by step: what fails, why, and what to do.

    The steps are the host's name, the connection, TLS, whether an HTTP server answers, the clock, the credential, the
    api-version, the deployment, limits and streaming. The last three take one short call of a model. What comes after
    a step that failed is skipped.

    Exit status: 0 when nothing failed, else that of the first step that did: 10 name, 11 connection, 12 tls,
    13 server, 14 clock, 15 credential, 16 api-version, 17 deployment, 18 limits, 19 streaming.

    \b
    Examples:
      forehearth doctor
      forehearth doctor --url https://my-resource.openai.azure.com --shape classic --deployment gpt-4o
      forehearth doctor --shape project --resource my-resource --project my-project
    """
    wanted = SHAPES[shape]
    auth = auth_of(wish, wanted)
    address = address_of(wish, secure=auth == "token")
    patient = Patient(
        wish=wish,
        address=address,
        shape=wanted,
        auth=auth,
        ca=authority_of(wish, address),
        deployment=deployment,
        version=api_version,
    )
    checks = asyncio.run(Doctor(patient, SystemClock()).run())
    bad = next((check.step for check in checks if check.state == "failed"), None)
    if as_json:
        found = [
            {"step": each.step, "state": each.state, "found": each.found, "remedy": each.remedy or None}
            for each in checks
        ]
        say_json({"baseUrl": address.base(wanted), "failed": bad, "checks": found})
    else:
        click.echo(f"{wanted.title} at {address.base(wanted)}")
        for check in checks:
            _say(check)
    return EXIT_STATUS[bad] if bad else 0


def _say(check: Check) -> None:
    click.echo(f"  {_SHOWN[check.state]:<8} {check.step:<{_WIDTH}}  {check.found}")
    if check.remedy:
        click.echo(f"  {'':<8} {'':<{_WIDTH}}  {check.remedy}")
