"""Runs as the admin API shows them: their steps, items, tools, tokens and times, and nothing of what was said.

Times are in seconds after a run was begun.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from forehearth.admin.office import Office
from forehearth.admin.runs import FoundRun, WholeRun
from forehearth.core.exchange import Reply
from forehearth.core.job import Job
from forehearth.core.ledger import LedgerRecord, detail_of
from forehearth.core.run import RunEvent, RunItem
from forehearth.wire import admin_bodies as bodies
from forehearth.wire.admin_asked import MOST, OK, Asked, Handler, admin_endpoint, json_reply
from forehearth.wire.admin_requests import TriedView

PATH: Final = "/admin/runs"
ENDPOINTS: Final = (
    admin_endpoint("GET", PATH, "runs.list"),
    admin_endpoint("GET", f"{PATH}/{{id}}", "runs.get"),
    admin_endpoint("GET", f"{PATH}/{{id}}/events", "runs.events"),
)
PARAMETERS: Final[Mapping[str, frozenset[str]]] = {
    "runs.list": frozenset({"resource", "limit"}),
    "runs.events": frozenset({"resource", "limit", "after"}),
}
MOST_CALLS: Final = 100


class RunTokens(msgspec.Struct, frozen=True, kw_only=True):
    """What its answer used, as its model's host says."""

    prompt: int
    cached: int
    completion: int
    reasoning: int


class RunView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A run, in a list. `seconds` is how long it took, or has taken until now."""

    id: str
    kind: str
    project: str | None
    endpoint: str | None
    """The agent at whose own endpoint it was asked for."""
    status: str
    ended: bool
    model: str | None
    agent: str | None
    background: bool
    created: datetime
    seconds: float
    tokens: RunTokens | None


class RunFault(msgspec.Struct, frozen=True, kw_only=True):
    """Why it failed, as its caller is told."""

    code: str
    message: str


class RunJob(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A job that makes it. `attempts` counts those that were not given back."""

    state: str
    created: float
    ended: float | None
    attempts: int
    most_attempts: int
    cancel_asked: bool
    lease_ends: float | None


class AttemptView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody took one of its jobs, the one of that `leg`; `fence` says how often that had happened."""

    leg: int
    fence: int
    began: float
    ended: float | None


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """A step of one of its jobs that was recorded."""

    leg: int
    name: str
    at: float | None


class RunItemView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that it made. `name` is a tool's, `pieces` how often it was told of before it was whole."""

    id: str
    type: str
    name: str | None
    status: str | None
    began: float | None
    ended: float | None
    pieces: int


class RunCall(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A call of a model that was made for it: a record of the ledger."""

    request: str
    began: float
    seconds: float
    queued: float
    first_byte: float | None
    deployment: str
    backend: str | None
    model: str | None
    status: int | None
    outcome: str
    cache: str | None
    tokens: RunTokens
    tried: tuple[TriedView, ...] | None


class WholeRunView(RunView, frozen=True, kw_only=True, rename="camel"):
    """A run. `calls` is null where calls are not recorded; each server's ledger has its own."""

    requests: tuple[str, ...]
    tools: tuple[str, ...]
    error: RunFault | None
    jobs: tuple[RunJob, ...]
    attempts: tuple[AttemptView, ...]
    steps: tuple[StepView, ...]
    items: tuple[RunItemView, ...]
    calls: tuple[RunCall, ...] | None


class RunEventView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that it told. `item` and `tool` say what it is about."""

    number: int
    name: str
    at: float | None
    item: str | None
    tool: str | None


class RunEvents(msgspec.Struct, frozen=True, kw_only=True):
    """What it told, and how it was before that was looked up: where it had `ended` then, these were the last ones."""

    status: str
    ended: bool
    value: tuple[RunEventView, ...]


class RunsPage(msgspec.Struct, frozen=True, kw_only=True):
    """The newest runs of a resource."""

    value: tuple[RunView, ...]


class RunPages:
    """The endpoints of runs."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self.handlers: Mapping[str, Handler] = {
            "runs.list": self._list,
            "runs.get": self._get,
            "runs.events": self._events,
        }

    async def _list(self, asked: Asked) -> Reply:
        limit = bodies.count(asked.query.get("limit"), most=MOST)
        now = self._office.clock.unix()
        found = await self._office.runs.newest(asked.resource, limit)
        return json_reply(OK, RunsPage(value=tuple(_head(each, now) for each in found)))

    async def _get(self, asked: Asked) -> Reply:
        found = await self._office.runs.get(asked.resource, asked.id)
        whole = await self._office.runs.whole(found)
        calls = await self._calls(asked.resource, found.facts.requests)
        return json_reply(OK, _whole(whole, calls, self._office.clock.unix()))

    async def _calls(self, resource: str, requests: tuple[str, ...]) -> list[LedgerRecord] | None:
        """The calls of models that were made for these, each once; None where calls are not recorded."""
        if self._office.ledger is None:
            return None
        found: dict[str, LedgerRecord] = {}
        for request in requests:
            for record in await self._office.ledger.of_request(resource, request, MOST_CALLS - len(found)):
                found[record.id] = record
        return sorted(found.values(), key=lambda each: each.at)

    async def _events(self, asked: Asked) -> Reply:
        limit = bodies.count(asked.query.get("limit"), most=MOST)
        found = await self._office.runs.get(asked.resource, asked.id)
        after = bodies.sequence(asked.query.get("after"))
        events = await self._office.runs.events(found, -1 if after is None else after, limit)
        facts = found.facts
        shown = tuple(_event(each, facts.began) for each in events)
        return json_reply(OK, RunEvents(status=facts.status, ended=facts.ended is not None, value=shown))


def _head(found: FoundRun, now: float) -> RunView:
    facts, used, began = found.facts, found.facts.usage, found.facts.began
    tokens = None
    if used is not None:
        tokens = RunTokens(prompt=used.prompt, cached=used.cached, completion=used.completion, reasoning=used.reasoning)
    return RunView(
        id=found.id,
        kind=facts.kind,
        project=found.place.project or None,
        endpoint=found.place.agent_name or None,
        status=facts.status,
        ended=facts.ended is not None,
        model=facts.model or None,
        agent=facts.agent or None,
        background=facts.background,
        created=bodies.moment(round(began, 6)),
        seconds=round(max(0.0, (now if facts.ended is None else facts.ended) - began), 6),
        tokens=tokens,
    )


def _whole(whole: WholeRun, calls: list[LedgerRecord] | None, now: float) -> WholeRunView:
    found, facts = whole.found, whole.found.facts
    began = facts.began
    error = None if facts.error is None else RunFault(code=facts.error.code, message=facts.error.message)
    return WholeRunView(
        **msgspec.structs.asdict(_head(found, now)),
        requests=facts.requests,
        tools=facts.tools,
        error=error,
        jobs=tuple(_job(each, began) for each in found.jobs),
        attempts=tuple(
            AttemptView(
                leg=each.leg, fence=each.fence, began=round(each.began - began, 6), ended=_after(each.ended, began)
            )
            for each in whole.attempts
        ),
        steps=tuple(StepView(leg=each.leg, name=each.name, at=_after(each.at, began)) for each in whole.steps),
        items=tuple(_item(each, began) for each in whole.items),
        calls=None if calls is None else tuple(_call(each, began) for each in calls),
    )


def _after(at: float | None, began: float) -> float | None:
    """How long after its beginning that was."""
    return None if at is None else round(at - began, 6)


def _job(job: Job, began: float) -> RunJob:
    return RunJob(
        state=job.state.value,
        created=round(job.created - began, 6),
        ended=_after(job.updated if job.state.final else None, began),
        attempts=job.attempts,
        most_attempts=job.most_attempts,
        cancel_asked=job.cancel_asked,
        lease_ends=_after(job.due, began),
    )


def _item(item: RunItem, began: float) -> RunItemView:
    return RunItemView(
        id=item.id,
        type=item.type,
        name=item.name or None,
        status=item.status or None,
        began=_after(item.began, began),
        ended=_after(item.ended, began),
        pieces=item.pieces,
    )


def _call(record: LedgerRecord, began: float) -> RunCall:
    detail = detail_of(record)
    tried = None
    if detail is not None:
        tried = tuple(
            TriedView(
                backend=each.backend,
                began=round(record.at - began + each.began - detail.started, 6),
                seconds=round(each.seconds, 6),
                outcome=each.outcome,
                status=each.status or None,
            )
            for each in detail.attempts
        )
    return RunCall(
        request=record.id,
        began=round(record.at - began, 6),
        seconds=round(record.seconds, 6),
        queued=round(record.queued, 6),
        first_byte=None if record.first_byte is None else round(record.first_byte, 6),
        deployment=record.account.deployment,
        backend=record.backend or None,
        model=record.model or None,
        status=record.status or None,
        outcome=record.outcome,
        cache=record.cache or None,
        tokens=RunTokens(
            prompt=record.prompt, cached=record.cached, completion=record.completion, reasoning=record.reasoning
        ),
        tried=tried,
    )


def _event(event: RunEvent, began: float) -> RunEventView:
    return RunEventView(
        number=event.number,
        name=event.name,
        at=_after(event.at, began),
        item=event.item or None,
        tool=event.tool or None,
    )
