"""`forehearth keys`: make keys for callers, change them without a gap, and end them."""

import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import click

from forehearth.cli.admin_client import AdminApi
from forehearth.cli.admin_target import Target, on_target, run
from forehearth.cli.moments import Duration, Moment, shown
from forehearth.cli.output import say_json, say_table
from forehearth.core.call import Operation

OPERATIONS = click.Choice([each.value for each in Operation])

resource_option = click.option("--resource", help="The resource that is meant.  [default: the server's own]")
json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")


@click.group(no_args_is_help=True)
def keys() -> None:
    """Make keys for callers, change them without a gap, and end them."""


@keys.command()
@click.argument("name")
@click.option("--deployment", "deployments", multiple=True, help="Only this deployment; more than once for more.")
@click.option("--operation", "operations", multiple=True, type=OPERATIONS, help="Only this operation; likewise.")
@click.option(
    "--project",
    "projects",
    multiple=True,
    help="Only in this project; likewise. Those take tokens alone, so it opens no inference.",
)
@click.option("--expires", type=Moment(time.time), help="When it ends: 30d from now, or a date.  [default: never]")
@click.option("--network", "networks", multiple=True, help="Only from this network, such as 10.0.0.0/8; likewise.")
@click.option("--product", help="Of this product: its calls have the product's limits, for its deployments alone.")
@click.option("--admin", is_flag=True, help="It opens /admin, too: it can make and end keys, and give roles.")
@click.option("--enrich", is_flag=True, help="It opens of /admin the jobs of enrichment, and nothing else.")
@click.option("--roles-only", is_flag=True, help="It opens what its roles allow: see 'forehearth roles assign'.")
@resource_option
@json_option
@on_target
def create(
    *,
    target: Target,
    name: str,
    deployments: tuple[str, ...],
    operations: tuple[str, ...],
    projects: tuple[str, ...],
    expires: int | None,
    networks: tuple[str, ...],
    product: str | None,
    admin: bool,
    enrich: bool,
    roles_only: bool,
    resource: str | None,
    as_json: bool,
) -> None:
    r"""Make a key for NAME and print it. It is shown this once and kept nowhere.

    The key alone goes to stdout, so that a script can take it; what it opens is told on stderr. Without limits it
    opens all of its resource's inference; with --roles-only nothing, until it is given a role. Behind a reverse
    proxy, --network sees the proxy's address.

    \b
    Examples:
      forehearth keys create shop --deployment chat --expires 90d
      forehearth keys create search --product gold
      KEY=$(forehearth keys create shop --network 10.0.0.0/8)
    """
    body: dict[str, object] = {"name": name, "admin": admin, "enrich": enrich, "rolesOnly": roles_only}
    limits = {"deployments": deployments, "operations": operations, "projects": projects, "networks": networks}
    body |= {member: list(given) for member, given in limits.items() if given}
    if product is not None:
        body["product"] = product
    if expires is not None:
        body["expires"] = datetime.fromtimestamp(expires, UTC).isoformat()

    async def act(api: AdminApi) -> Any:
        return await api.call("POST", "/admin/keys", query=of(resource), body=body)

    _hand_over(run(target, act), as_json=as_json)


@keys.command("list")
@resource_option
@json_option
@on_target
def list_(*, target: Target, resource: str | None, as_json: bool) -> None:
    r"""List the keys there are: for whom, what they open, until when. No key is shown.

    \b
    Examples:
      forehearth keys list
      forehearth keys list --json | jq -r '.[].name'
    """

    async def act(api: AdminApi) -> list[Any]:
        return await every(api, "/admin/keys", of(resource))

    found = run(target, act)
    if as_json:
        say_json(found)
        return
    say_table([("NAME", "ID", "SECRETS", "EXPIRES", "OPENS"), *map(_row, found)])


@keys.command()
@click.argument("holder", metavar="NAME|ID")
@click.option("--overlap", type=Duration(), default=86_400, help="How long the secret before goes on.  [default: 24h]")
@click.option("--now", is_flag=True, help="Every secret before ends at once.")
@resource_option
@json_option
@on_target
def rotate(*, target: Target, holder: str, overlap: int, now: bool, resource: str | None, as_json: bool) -> None:
    r"""Give a key a new secret and print it. The one before goes on for a while, so that callers can change over.

    Two are good at the most: while both are, a third takes --now.

    \b
    Examples:
      forehearth keys rotate shop
      forehearth keys rotate shop --overlap 1h
      forehearth keys rotate shop --now
    """

    async def act(api: AdminApi) -> Any:
        body = {"overlapSeconds": overlap, "now": now}
        return await api.call("POST", f"{_path(holder)}/rotate", query=of(resource), body=body)

    _hand_over(run(target, act), as_json=as_json)


@keys.command()
@click.argument("holder", metavar="NAME|ID")
@click.option("--secret", help="Only this one of its secrets, by the id that 'keys list --json' shows.")
@resource_option
@on_target
def revoke(*, target: Target, holder: str, secret: str | None, resource: str | None) -> None:
    r"""End a key, or one of its secrets. It is refused everywhere within five seconds.

    \b
    Examples:
      forehearth keys revoke shop
      forehearth keys revoke key_3f0c9b6a2e7d4a51b8c6d2e4f0a1b2c3
    """

    async def act(api: AdminApi) -> None:
        await api.call("DELETE", _path(holder), query=of(resource, secret=secret))

    run(target, act)
    click.echo(f"{holder} is revoked." if secret is None else f"{secret} of {holder} is revoked.", err=True)


def _path(holder: str) -> str:
    return f"/admin/keys/{quote(holder, safe='')}"


def of(resource: str | None, **others: str | None) -> dict[str, str]:
    """A query with what is given."""
    return {name: value for name, value in {"resource": resource, **others}.items() if value is not None}


async def every(api: AdminApi, path: str, query: dict[str, str]) -> list[Any]:
    """Everything that a path lists, page by page."""
    found: list[Any] = []
    page: Any = {"nextLink": ""}
    while "nextLink" in page:
        page = await api.call("GET", path, query={"limit": "100", **query, **following(page)})
        found += page["value"]
    return found


def following(page: Any) -> dict[str, str]:
    """What asks for the page after this one."""
    return dict(parse_qsl(urlsplit(page["nextLink"]).query))


def _hand_over(issued: Any, *, as_json: bool) -> None:
    if as_json:
        say_json(issued)
        return
    click.echo(issued["key"])
    click.echo(f"{issued['name']} ({issued['id']}): {_opens(issued)}; {_until(issued)}.", err=True)
    click.echo("The key is shown this once.", err=True)


def _row(key: Any) -> tuple[str, str, str, str, str]:
    texts = " ".join(f"…{each['hint']}" for each in key["secrets"])
    end = shown(_unix(key["expires"])) if key["state"] == "live" else "expired"
    return key["name"], key["id"], texts, end, _opens(key)


def _opens(key: Any) -> str:
    if key["projects"] is not None:
        return f"nothing outside of {', '.join(key['projects'])}" + (f", but {_admin(key)}" if _admin(key) else "")
    what = [", ".join(key[member]) for member in ("deployments", "operations") if key[member] is not None]
    text = "; ".join([*(["what its roles allow"] if key["rolesOnly"] else []), *what]) or "all of inference"
    if key["product"] is not None:
        text = f"product {key['product']}" + (f", {text}" if what else "")
    if key["networks"] is not None:
        text += f", from {', '.join(key['networks'])}"
    return f"{text}, and {_admin(key)}" if _admin(key) else text


def _admin(key: Any) -> str:
    """What it opens for operators."""
    return "/admin" if key["admin"] else "/admin/enrichments" if key["enrich"] else ""


def _until(key: Any) -> str:
    older = [each for each in key["secrets"][:-1] if each["expires"]]
    overlap = f"the secret before is good until {shown(_unix(older[-1]['expires']))}, " if older else ""
    return (
        f"{overlap}this one until {shown(_unix(key['expires']))}" if key["expires"] else f"{overlap}this one has no end"
    )


def _unix(text: str | None) -> int | None:
    return None if text is None else int(datetime.fromisoformat(text).timestamp())
