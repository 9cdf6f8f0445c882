"""Responses as runs: what became of one, told by what is stored of it and by the events of its job.

What was said in it stays out, and so do the arguments of tools and what they gave.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from forehearth.core.document import Document
from forehearth.core.job import Job, JobError, JobState, Told
from forehearth.core.run import RunEvent, RunFacts, RunItem
from forehearth.core.usage import Usage
from forehearth.dialects.responses import states
from forehearth.responses.caller import Asker
from forehearth.responses.kept import Kept

_STATUS: Final = {JobState.SUCCEEDED: "completed", JobState.FAILED: "failed", JobState.CANCELLED: "cancelled"}
_kept = msgspec.json.Decoder(Kept)
_asker = msgspec.json.Decoder(Asker)


class ResponseRuns:
    """How runs of the kind `response` are read."""

    def facts(self, document: Document | None, jobs: Sequence[Job]) -> RunFacts:
        """See `admin.runs.RunKind`. A response has one job, or none."""
        if document is None:
            return _of_job(jobs[-1])
        job = jobs[-1] if jobs else None
        kept = _kept.decode(document.body)
        response = kept.response
        status = _text(response.get("status"))
        ended: float | None = document.created
        if job is not None:
            ended = job.updated if job.state.final else None
            status = status if kept.ended else _status(job)
        elif response.get("background"):
            ended = response["completed_at"] if kept.ended else document.updated
        return RunFacts(
            kind=document.kind,
            status=status,
            model=_text(response.get("model")),
            agent=_agent(_members(response.get("agent_reference"))),
            background=bool(response.get("background")),
            tools=tuple(_tool(_members(each)) for each in _list(response.get("tools"))),
            requests=(kept.request,) if kept.request else (),
            began=job.created if job is not None else kept.arrived or float(response["created_at"]),
            ended=ended,
            items=tuple(_item(_members(each), kept.times) for each in _list(response.get("output"))),
            usage=_usage(_members(response.get("usage"))),
            error=_error(_members(response.get("error"))),
        )

    def event(self, told: Told) -> RunEvent:
        """What is told of one of its events."""
        item: Mapping[str, Any] = {}
        if told.event.name in (states.ITEM_ADDED, states.ITEM_DONE):
            item = _members(msgspec.json.decode(told.event.body).get("item"))
        return RunEvent(
            number=told.event.number,
            name=told.event.name,
            at=told.at,
            item=_text(item.get("type")),
            tool=_name(item),
        )

    def items(self, told: Iterable[Told]) -> list[RunItem]:
        """What the events tell of items, in the order in which these were begun."""
        found: dict[int, RunItem] = {}
        for each in told:
            name = each.event.name
            if name in states.DELTAS or name in (states.ITEM_ADDED, states.ITEM_DONE):
                body = msgspec.json.decode(each.event.body)
                place = _count(body.get("output_index"))
                found[place] = _after(found.get(place), name, body, each.at)
        return [found[place] for place in sorted(found)]


def _of_job(job: Job) -> RunFacts:
    """Of one that was removed, its job is left for a day."""
    requests = (_asker.decode(job.input).request_id,) if job.input else ()
    return RunFacts(
        kind=job.kind,
        status=_status(job),
        background=True,
        requests=requests,
        began=job.created,
        ended=job.updated if job.state.final else None,
        error=job.error,
    )


def _status(job: Job) -> str:
    return _STATUS.get(job.state) or ("queued" if job.fence == 0 else "in_progress")


def _after(item: RunItem | None, name: str, body: Mapping[str, Any], at: float | None) -> RunItem:
    """What an item is once this is told of it."""
    if name == states.ITEM_ADDED:
        return msgspec.structs.replace(_item(_members(body.get("item")), {}), began=at)
    if item is None:
        item = RunItem(id=_text(body.get("item_id")), type="unknown")
    if name == states.ITEM_DONE:
        done = _item(_members(body.get("item")), {})
        return msgspec.structs.replace(done, began=item.began, ended=at, pieces=item.pieces)
    return msgspec.structs.replace(item, pieces=item.pieces + 1)


def _item(item: Mapping[str, Any], times: Mapping[str, list[float]]) -> RunItem:
    name = _text(item.get("id"))
    noted = times.get(name, [])
    return RunItem(
        id=name,
        type=_text(item.get("type")) or "unknown",
        name=_name(item),
        status=_text(item.get("status")),
        began=noted[0] if noted else None,
        ended=noted[1] if len(noted) > 1 else None,
    )


def _name(item: Mapping[str, Any]) -> str:
    return ".".join(each for each in (_text(item.get("server_label")), _text(item.get("name"))) if each)


def _tool(tool: Mapping[str, Any]) -> str:
    kind, name = _text(tool.get("type")) or "unknown", _text(tool.get("name")) or _text(tool.get("server_label"))
    return f"{kind} {name}" if name else kind


def _agent(reference: Mapping[str, Any]) -> str:
    return ":".join(each for each in (_text(reference.get("name")), _text(reference.get("version"))) if each)


def _error(error: Mapping[str, Any]) -> JobError | None:
    if not error:
        return None
    return JobError(code=_text(error.get("code")), message=_text(error.get("message")))


def _usage(usage: Mapping[str, Any]) -> Usage | None:
    if not usage:
        return None
    read, written = (_members(usage.get(f"{each}_tokens_details")) for each in ("input", "output"))
    return Usage(
        prompt=_count(usage.get("input_tokens")),
        completion=_count(usage.get("output_tokens")),
        cached=_count(read.get("cached_tokens")),
        reasoning=_count(written.get("reasoning_tokens")),
    )


# What hosts pass through need not be what it should be: these read it as if it said nothing then.


def _members(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
