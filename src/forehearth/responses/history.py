"""Responses as runs: what became of one, told by what is stored of it and by the events of its job.

What was said in it stays out, and so do the arguments of tools and what they gave.
"""

from collections.abc import Iterable, Mapping
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

    def facts(self, document: Document | None, job: Job | None) -> RunFacts:
        """What is known of one; its document or its job may be gone, but not both."""
        if document is None:
            return _of_job(job) if job is not None else _NOTHING
        kept = _kept.decode(document.body)
        response = kept.response
        error = response["error"]
        status = response["status"]
        ended: float | None = document.created
        if job is not None:
            ended = job.updated if job.state.final else None
            status = status if kept.ended else _status(job)
        elif response["background"]:
            ended = response["completed_at"] if kept.ended else document.updated
        return RunFacts(
            kind=document.kind,
            status=status,
            model=response["model"] or "",
            agent=_agent(response.get("agent_reference")),
            background=response["background"],
            tools=tuple(map(_tool, response["tools"])),
            request_id=kept.request,
            began=job.created if job is not None else kept.arrived or float(response["created_at"]),
            ended=ended,
            items=tuple(_item(each, kept.times) for each in response["output"]),
            usage=_usage(response["usage"]),
            error=None if error is None else JobError(code=error["code"], message=error["message"]),
        )

    def event(self, told: Told) -> RunEvent:
        """What is told of one of its events."""
        item: dict[str, Any] = {}
        if told.event.name in (states.ITEM_ADDED, states.ITEM_DONE):
            item = msgspec.json.decode(told.event.body)["item"]
        return RunEvent(
            number=told.event.number,
            name=told.event.name,
            at=told.at,
            item=item.get("type", ""),
            tool=_name(item),
        )

    def items(self, told: Iterable[Told]) -> list[RunItem]:
        """What the events tell of items, in the order in which these were begun."""
        found: dict[int, RunItem] = {}
        for each in told:
            name = each.event.name
            if name in states.DELTAS or name in (states.ITEM_ADDED, states.ITEM_DONE):
                body = msgspec.json.decode(each.event.body)
                place = body["output_index"]
                found[place] = _after(found.get(place), name, body, each.at)
        return [found[place] for place in sorted(found)]


_NOTHING: Final = RunFacts(kind="response", status="unknown", began=0.0, ended=0.0)


def _of_job(job: Job) -> RunFacts:
    """Of one that was removed, its job is left for a day."""
    request = _asker.decode(job.input).request_id if job.input else ""
    return RunFacts(
        kind=job.kind,
        status=_status(job),
        background=True,
        request_id=request,
        began=job.created,
        ended=job.updated if job.state.final else None,
        error=job.error,
    )


def _status(job: Job) -> str:
    return _STATUS.get(job.state) or ("queued" if job.fence == 0 else "in_progress")


def _after(item: RunItem | None, name: str, body: Mapping[str, Any], at: float | None) -> RunItem:
    """What an item is once this is told of it."""
    if name == states.ITEM_ADDED:
        return msgspec.structs.replace(_item(body["item"], {}), began=at)
    if item is None:
        item = RunItem(id=str(body.get("item_id", "")), type="unknown")
    if name == states.ITEM_DONE:
        done = _item(body["item"], {})
        return msgspec.structs.replace(done, began=item.began, ended=at, pieces=item.pieces)
    return msgspec.structs.replace(item, pieces=item.pieces + 1)


def _item(item: Mapping[str, Any], times: Mapping[str, list[float]]) -> RunItem:
    noted = times.get(str(item.get("id", "")), [])
    return RunItem(
        id=str(item.get("id", "")),
        type=str(item["type"]),
        name=_name(item),
        status=str(item.get("status") or ""),
        began=noted[0] if noted else None,
        ended=noted[1] if len(noted) > 1 else None,
    )


def _name(item: Mapping[str, Any]) -> str:
    parts = (item.get("server_label"), item.get("name"))
    return ".".join(str(each) for each in parts if each)


def _tool(tool: Mapping[str, Any]) -> str:
    kind = str(tool["type"])
    name = tool.get("name") or tool.get("server_label")
    return f"{kind} {name}" if name else kind


def _agent(reference: Mapping[str, Any] | None) -> str:
    if reference is None:
        return ""
    version = reference.get("version")
    return f"{reference['name']}:{version}" if version else str(reference["name"])


def _usage(usage: Mapping[str, Any] | None) -> Usage | None:
    if usage is None:
        return None
    return Usage(
        prompt=usage["input_tokens"],
        completion=usage["output_tokens"],
        cached=usage["input_tokens_details"]["cached_tokens"],
        reasoning=usage["output_tokens_details"]["reasoning_tokens"],
    )
