"""`forehearth roles`: give roles to people, groups, applications and keys while the server runs, or take them away."""

from typing import Any
from urllib.parse import quote

import click

from forehearth.cli.admin_client import AdminApi
from forehearth.cli.admin_target import Target, on_target, run
from forehearth.cli.keys import every, json_option, of, resource_option
from forehearth.cli.output import CommandFailed, Exit, say_json, say_table

_PATH = "/admin/role-assignments"
_COLUMNS = ("ID", "ROLE", "TO", "AT", "SOURCE")


@click.group(no_args_is_help=True)
def roles() -> None:
    """Give roles to people, applications and keys, or take them away."""


@roles.command()
@click.argument("role")
@click.option("--user", help="To this user, by object id.")
@click.option("--group", help="To this group, by object id, as tokens list it.")
@click.option("--application", help="To this application or managed identity, by object id or client id.")
@click.option("--app-role", help="To everybody whose token lists this app role.")
@click.option("--to-key", metavar="NAME|ID", help="To this key. From then on it opens what its roles allow.")
@click.option("--project", help="Only in this project.  [default: in all of the resource]")
@click.option("--agent", help="Only at this agent of the project.")
@click.option("--issuer", help="Whose id it is: entra, development or a name under identity.oidc.  [default: the only]")
@click.option("--tenant", help="Only for tokens of this directory.")
@resource_option
@json_option
@on_target
def assign(
    *,
    target: Target,
    role: str,
    user: str | None,
    group: str | None,
    application: str | None,
    app_role: str | None,
    to_key: str | None,
    project: str | None,
    agent: str | None,
    issuer: str | None,
    tenant: str | None,
    resource: str | None,
    as_json: bool,
) -> None:
    r"""Give ROLE to one user, group, application, app role or key. It counts in every worker within five seconds.

    The roles are Foundry's: 'Foundry User' for inference and all that belongs to projects, 'Foundry Agent Consumer',
    'Cognitive Services OpenAI User', 'Owner' for /admin, and more; the names before 2026 will do. Roles add up. The
    assignment's id goes to stdout.

    Owner gives every role; Foundry Account Owner and keys made with --admin give Foundry User. People of the
    development issuer can be named. A key takes roles with inference in them, and at the resource alone: projects,
    agents and /admin are nothing that a role opens to a key.

    \b
    Examples:
      forehearth roles assign "Foundry User" --user 12345678-1234-1234-1234-123456789012
      forehearth roles assign "Foundry User" --group 99999999-8888-7777-6666-555555555555 --project sales
      forehearth roles assign "Cognitive Services OpenAI User" --to-key shop
    """
    kinds = {"user": user, "group": group, "application": application, "app_role": app_role, "key": to_key}
    (kind, principal), *more = [(kind, given) for kind, given in kinds.items() if given is not None] or [("", "")]
    if more or not kind:
        raise CommandFailed(
            "say to whom: exactly one of --user, --group, --application, --app-role and --to-key",
            "'forehearth roles assign --help' has examples.",
            Exit.USAGE,
        )
    body: dict[str, object] = {"role": role, "principalType": kind, "principalId": principal}
    body |= of(None, project=project, agent=agent, issuer=issuer, tenant=tenant)

    async def act(api: AdminApi) -> Any:
        return await api.call("POST", _PATH, query=of(resource), body=body)

    made = run(target, act)
    if as_json:
        say_json(made)
        return
    click.echo(made["id"])
    click.echo(f"{made['role']} is given to {_to(made)}, at {_at(made)}.", err=True)
    if kind == "key":
        click.echo("This key now opens what its roles allow, and no more.", err=True)


@roles.command("list")
@click.option("--role", help="Only assignments of this role.")
@click.option("--principal", metavar="ID", help="Only those to whom this id belongs.")
@resource_option
@json_option
@on_target
def list_(*, target: Target, role: str | None, principal: str | None, resource: str | None, as_json: bool) -> None:
    r"""List the role assignments there are, those of the configuration last.

    SOURCE is admin for those that can be removed, configuration or development issuer for the others.

    \b
    Examples:
      forehearth roles list
      forehearth roles list --role Owner --json | jq -r '.[].principalId'
    """

    async def act(api: AdminApi) -> list[Any]:
        return await every(api, _PATH, of(resource, role=role, principalId=principal))

    found = run(target, act)
    if as_json:
        say_json(found)
        return
    say_table([_COLUMNS, *((each["id"], each["role"], _to(each), _at(each), each["source"]) for each in found)])


@roles.command()
@click.argument("assignment", metavar="ID")
@resource_option
@on_target
def remove(*, target: Target, assignment: str, resource: str | None) -> None:
    r"""Take a role away again, by the assignment's id. It counts in every worker within five seconds.

    A key that has no role left opens nothing. Those of the configuration are removed there.

    \b
    Examples:
      forehearth roles remove assignment_3f0c9b6a2e7d4a51b8c6d2e4f0a1b2c3
      forehearth roles list --principal ID --json | jq -r '.[].id' | xargs -n1 forehearth roles remove
    """

    async def act(api: AdminApi) -> None:
        await api.call("DELETE", f"{_PATH}/{quote(assignment, safe='')}", query=of(resource))

    run(target, act)
    click.echo(f"{assignment} is removed.", err=True)


def _to(assignment: Any) -> str:
    kind = assignment["principalType"].replace("_", " ")
    issuer = f" of {assignment['issuer']}" if assignment["issuer"] else ""
    directory = f" ({assignment['tenant']})" if assignment["tenant"] else ""
    return f"{kind} {assignment['principalName'] or assignment['principalId']}{issuer}{directory}"


def _at(assignment: Any) -> str:
    if assignment["project"] is None:
        return f"resource {assignment['resource']}"
    agent = f", agent {assignment['agent']}" if assignment["agent"] else ""
    return f"project {assignment['project']}{agent}"
