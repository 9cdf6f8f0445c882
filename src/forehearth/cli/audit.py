"""`forehearth audit`: who did what to which thing, and whether they were let; and whose calls were refused."""

import time
from datetime import UTC, datetime
from typing import Any

import click

from forehearth.cli.admin_client import AdminApi
from forehearth.cli.admin_target import Target, on_target, run
from forehearth.cli.keys import following, json_option, resource_option
from forehearth.cli.moments import Moment, shown
from forehearth.cli.output import say_json

_PAGE = 100
_FIRST_ERROR = 400


@click.command()
@click.option("--since", type=Moment(time.time, past=True), help="From then on: 24h ago, or a date.  [default: all]")
@click.option("--actor", help="Only what this one did, by name; for callers that nobody knows, by address.")
@click.option("--action", help="Only this action, such as keys.create or openai_v1.chat_completions.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, help="How many at the most.  [default: 100]")
@resource_option
@json_option
@on_target
def audit(
    *,
    target: Target,
    since: int | None,
    actor: str | None,
    action: str | None,
    limit: int,
    resource: str | None,
    as_json: bool,
) -> None:
    r"""Show who did what to which thing, the newest first, and whether they were let.

    Whoever made, changed or removed an agent, an asset or a file is there. So are calls to models that were refused: a
    wrong key or token, or nothing that allows them. Repeats within a minute are one record with their count. Records
    are added and never changed; they are kept for 90 days. The request id is the one that the answer had in
    x-request-id.

    \b
    Examples:
      forehearth audit --since 24h
      forehearth audit --actor development --action keys.create
      forehearth audit --json | jq -r '.[].requestId'
    """
    query = {"actor": actor, "action": action, "resource": resource}
    wanted = {name: value for name, value in query.items() if value is not None}
    if since is not None:
        wanted["since"] = datetime.fromtimestamp(since, UTC).isoformat()

    async def act(api: AdminApi) -> list[Any]:
        return await _some(api, wanted, limit)

    found = run(target, act)
    if as_json:
        say_json(found)
        return
    for each in found:
        click.echo(_line(each))


async def _some(api: AdminApi, query: dict[str, str], limit: int) -> list[Any]:
    found: list[Any] = []
    page: Any = {"nextLink": ""}
    while "nextLink" in page and len(found) < limit:
        size = str(min(_PAGE, limit - len(found)))
        page = await api.call("GET", "/admin/audit", query=query | following(page) | {"limit": size})
        found += page["value"]
    return found


def _line(record: Any) -> str:
    status = int(record["status"])
    verdict = "refused" if not record["allowed"] else "done" if status < _FIRST_ERROR else f"failed ({status})"
    when = shown(int(datetime.fromisoformat(record["time"]).timestamp()))
    where = f"project {record['project']}" if record["project"] else ""
    said = [record["actor"], record["action"], where, record["target"], verdict, record["requestId"], record["detail"]]
    return "  ".join(each for each in (when, *said) if each)
