"""Runs of classic agents as operators see them: told by the run's document, and by the events of its jobs.

What was said stays out, and so do the arguments of functions and what they gave.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from forehearth.assistants.kept import KeptRun
from forehearth.assistants.runs import Leg
from forehearth.core.document import Document
from forehearth.core.job import Job, JobError, Told
from forehearth.core.run import RunEvent, RunFacts, RunItem
from forehearth.core.usage import Usage
from forehearth.dialects.assistants.objects import Run

_kept = msgspec.json.Decoder(KeptRun)
_leg = msgspec.json.Decoder(Leg)
_ITEMS: Final = ("thread.message.", "thread.run.step.")
_BEGUN: Final = frozenset({"created", "in_progress"})


class ThreadRuns:
    """How runs of the kind `thread_run` are read."""

    def facts(self, document: Document | None, jobs: Sequence[Job]) -> RunFacts:
        """See `admin.runs.RunKind`."""
        requests = tuple(_leg.decode(each.input).request for each in jobs if each.input)
        if document is None:
            return _of_jobs(jobs, requests)
        kept = _kept.decode(document.body)
        run, used = kept.run, kept.run.usage or kept.used
        error = run.last_error
        return RunFacts(
            kind=document.kind,
            status=run.status.value,
            model=run.model,
            agent=run.assistant_id,
            background=True,
            tools=tuple(map(_tool, run.tools)),
            requests=tuple(each for each in requests if each),
            began=jobs[0].created if jobs else float(run.created_at),
            ended=_ended(run, document, jobs),
            usage=None if used is None else Usage(prompt=used.prompt_tokens, completion=used.completion_tokens),
            error=None if error is None else JobError(code=error.code, message=error.message),
        )

    def event(self, told: Told) -> RunEvent:
        """See `admin.runs.RunKind`."""
        body = msgspec.json.decode(told.event.body) if told.event.name.startswith(_ITEMS) else {}
        kind = "" if not body or told.event.name.endswith(".delta") else _type(told.event.name, body)
        return RunEvent(
            number=told.event.number, name=told.event.name, at=told.at, item=kind, tool=_functions(body) if kind else ""
        )

    def items(self, told: Iterable[Told]) -> list[RunItem]:
        """See `admin.runs.RunKind`."""
        found: dict[str, RunItem] = {}
        for each in told:
            name = each.event.name
            if name.startswith(_ITEMS):
                body = msgspec.json.decode(each.event.body)
                found[body["id"]] = _after(found.get(body["id"]), name, body, each.at)
        return list(found.values())


def _of_jobs(jobs: Sequence[Job], requests: tuple[str, ...]) -> RunFacts:
    """Of one that was removed with its thread, its jobs are left for a day."""
    last = jobs[-1]
    return RunFacts(
        kind=last.kind,
        status=last.state.value,
        background=True,
        requests=tuple(each for each in requests if each),
        began=jobs[0].created,
        ended=last.updated if last.state.final else None,
        error=last.error,
    )


def _ended(run: Run, document: Document, jobs: Sequence[Job]) -> float | None:
    """When it ended. Its own moments are whole seconds; that of its last job stands in for one of the same second."""
    if not run.status.final:
        return None
    moments = (run.completed_at, run.failed_at, run.cancelled_at)
    ended = float(next((each for each in moments if each is not None), document.updated))
    last = jobs[-1].updated if jobs and jobs[-1].state.final else ended
    return last if abs(last - ended) < 1.0 else ended


def _after(item: RunItem | None, name: str, body: dict[str, Any], at: float | None) -> RunItem:
    """What an item is once this is told of it."""
    what = name.rpartition(".")[2]
    if what == "delta":
        known = item or RunItem(id=body["id"], type="unknown")
        names = ", ".join(each for each in (known.name, _functions(body["delta"])) if each)
        return msgspec.structs.replace(known, pieces=known.pieces + 1, name=names)
    now = RunItem(
        id=body["id"], type=_type(name, body), name=_functions(body), status=str(body.get("status") or ""), began=at
    )
    if item is not None:
        now = msgspec.structs.replace(now, began=item.began, pieces=item.pieces, name=now.name or item.name)
    return now if what in _BEGUN else msgspec.structs.replace(now, ended=at)


def _type(name: str, body: dict[str, Any]) -> str:
    return "message" if name.startswith("thread.message.") else str(body.get("type") or "step")


def _functions(body: dict[str, Any]) -> str:
    """The names of the functions that a step calls, or a piece of one."""
    calls = (body.get("step_details") or {}).get("tool_calls") or ()
    return ", ".join(each["function"]["name"] for each in calls if (each.get("function") or {}).get("name"))


def _tool(tool: dict[str, Any]) -> str:
    name = (tool.get("function") or {}).get("name")
    return f"{tool['type']} {name}" if name else str(tool["type"])
