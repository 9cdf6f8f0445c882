"""What the commands of `forehearth enrich` do with `--url`: a server runs the job, and is asked how it is.

No library of tables is needed for that.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from forehearth.cli.admin_client import AdminApi, Remote, Unanswered
from forehearth.cli.admin_target import Target, run
from forehearth.cli.output import CommandFailed
from forehearth.config.loader import load_as
from forehearth.config.problems import ConfigError
from forehearth.core.money import units
from forehearth.enrichment.budget import Spent
from forehearth.enrichment.run_record import Run

_PATH: Final = "/admin/enrichments"
_LOOK_SECONDS: Final = 1.0
_PATIENCE: Final = 60
"""Looks that nobody answers, one after the other, before a server counts as gone."""
_UNENDED: Final = frozenset({"NotStarted", "Running"})
Show = Callable[[Run], None]


class Between(msgspec.Struct, frozen=True, kw_only=True):
    """From the least to the most that is likely."""

    low: int
    high: int


class ToldPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A plan, as a server tells it."""

    job: str
    fingerprint: str
    source_version: str
    rows: int
    landed: int
    empty: int
    prompts: int
    known: int
    sampled: int
    failed: int
    requests: int
    prompt_tokens: Between
    completion_tokens: Between
    cost: Between | None
    currency: str
    limits: list[str]
    results: list[dict[str, str | None]]


class RemoteWorks:
    """The same as `cli.enrich_work`, at a server."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def carry_on(self, job: Path, _: Path | None, show: Show, deed: str) -> Run:
        """Have a job run, and follow that to its end. Ctrl-C ends the following alone."""
        operation = self._followed(job, {"deed": deed}, show)
        if operation["run"] is None:
            raise CommandFailed(_why(operation))
        found = run_of(operation)
        return found if found.status != "running" else msgspec.structs.replace(found, **_lost(operation))

    def plan(self, job: Path, _: Path | None, sample: int | None) -> ToldPlan:
        """What a run would do and cost."""
        query = {"deed": "plan"} | ({} if sample is None else {"sample": str(sample)})
        operation = self._followed(job, query, lambda _: None)
        if operation["plan"] is None:
            raise CommandFailed(f"the job cannot be planned: {_why(operation)}")
        told, cost = operation["plan"], operation["plan"]["cost"]
        exact = cost and {end: units(Decimal(amount)) for end, amount in cost.items()}
        return msgspec.convert(told | {"cost": exact}, ToldPlan)

    def look(self, job: Path, _: Path | None) -> tuple[Run, bool]:
        """The last run of the job of that name, and whether it is worked on."""

        async def act(api: AdminApi) -> Any:
            return await _last(api, job)

        operation = run(self._target, act)
        return run_of(operation), operation["status"] in _UNENDED

    def cancel(self, job: Path, _: Path | None) -> Run:
        """Ask the server to end what is under way of the job."""

        async def act(api: AdminApi) -> Any:
            found = await _last(api, job)
            if found["status"] not in _UNENDED:
                raise CommandFailed("no run of this job is under way", f"It is {found['status']}.")
            return await api.call("POST", f"{_PATH}/{found['id']}/cancel")

        return run_of(run(self._target, act))

    def report(self, job: Path, _: Path | None, path: Path | None) -> tuple[Run, Path]:
        """Write the report of the job's last run here."""

        async def act(api: AdminApi) -> tuple[Any, bytes]:
            found = await _last(api, job)
            told = await api.call("GET", f"{_PATH}/{found['id']}/report")
            if not isinstance(api, Remote):
                raise TypeError("reports are fetched from servers")
            return told, await api.fetch(f"{_PATH}/{found['id']}/report", {"format": "html"})

        told, page = run(self._target, act)
        found = run_of(told["operation"])
        found.latency = told["latency"]
        where = path or Path(f"report-{found.id}.html")
        where.write_bytes(page)
        return found, where

    def _followed(self, job: Path, query: Mapping[str, str], show: Show) -> Any:
        """What became of an operation that is asked for now. Raises `ConfigError` for a job that cannot be used."""
        wanted = _job(job)

        async def act(api: AdminApi) -> Any:
            operation, unanswered = await api.call("POST", _PATH, query=query, body=wanted), 0
            while operation["status"] in _UNENDED:
                await asyncio.sleep(_LOOK_SECONDS)
                try:
                    operation, unanswered = await api.call("GET", f"{_PATH}/{operation['id']}"), 0
                except Unanswered:  # it may be starting anew: then another of its workers goes on with the job
                    unanswered += 1
                    if unanswered >= _PATIENCE:
                        raise
                if operation["run"] is not None:
                    show(run_of(operation))
            return operation

        try:
            return run(self._target, act)
        except ConfigError as error:
            raise ConfigError([msgspec.structs.replace(each, file=str(job)) for each in error.problems]) from None


def run_of(operation: Any) -> Run:
    """The run of an operation as a server tells it; a planned one where it has none yet."""
    told = operation["run"]
    if told is None:
        now = _unix(operation["created"]) or 0.0
        reason = _why(operation) if operation["error"] else ""
        return Run(
            id="-", job=operation["name"], fingerprint="", source_version="", started=now, updated=now, reason=reason
        )
    spent = told["spent"]
    return Run(
        id=told["id"],
        job=operation["name"],
        fingerprint=told["fingerprint"],
        source_version=told["sourceVersion"],
        status=told["status"],
        reason=told["reason"],
        limit=told["limit"],
        started=_unix(told["started"]) or 0.0,
        updated=_unix(told["updated"]) or 0.0,
        ended=_unix(told["ended"]),
        rows=told["rows"],
        done=told["done"],
        failed=told["failed"],
        reused=told["reused"],
        chunks=told["chunks"],
        spent=Spent(
            requests=spent["requests"],
            prompt_tokens=spent["promptTokens"],
            completion_tokens=spent["completionTokens"],
            cost=units(Decimal(spent["cost"])),
            unpriced=spent["unpriced"],
            seconds=spent["seconds"],
        ),
        warnings=told["warnings"],
        errors=told["errors"],
        currency=spent["currency"],
        quarantine=told["quarantine"],
    )


def _job(path: Path) -> dict[str, Any]:
    """What a job file has. Its secrets are names, and are sent as such. Raises `ConfigError`."""
    found = load_as(path, dict[str, Any])
    return {"name": path.stem} | found


async def _last(api: AdminApi, job: Path) -> Any:
    name = str(_job(job)["name"])
    found = (await api.call("GET", _PATH, query={"name": name, "limit": "1"}))["value"]
    if not found:
        raise CommandFailed(f"the server has not run a job '{name}' yet", f"forehearth enrich run {job} --url URL")
    return found[0]


def _why(operation: Any) -> str:
    error = operation["error"]
    return str(error["message"]) if error else f"it is {operation['status']}"


def _lost(operation: Any) -> dict[str, Any]:
    """What to say of a run whose operation ended and which did not say how."""
    status = "cancelled" if operation["status"] == "Canceled" else "failed"
    return {"status": status, "reason": _why(operation)}


def _unix(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()
