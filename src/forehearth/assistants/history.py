"""Runs as operators see them: what a job of one noted, and what it told of messages and calls of functions.

What was said stays out, and so do the arguments of functions and what they gave.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from forehearth.assistants.runs import Leg
from forehearth.core.document import Document
from forehearth.core.job import Job, Told
from forehearth.core.run import RunEvent, RunFacts, RunItem
from forehearth.dialects.assistants.answer import MESSAGE, STEP_DELTA

_MESSAGE_DELTA: Final = f"{MESSAGE}.delta"
_WAITS: Final = "thread.run.requires_action"
_leg = msgspec.json.Decoder(Leg)


class ThreadRuns:
    """How runs of the kind `thread_run` are read: each leg of one is a job of its own."""

    def facts(self, document: Document | None, job: Job | None) -> RunFacts:  # noqa: ARG002 - the shape of a `RunKind`
        """What is known of one."""
        if job is None:
            return RunFacts(kind="thread_run", status="unknown", began=0.0, ended=0.0)
        leg = _leg.decode(job.input) if job.input else None
        return RunFacts(
            kind=job.kind,
            status=job.state.value,
            model=leg.model if leg is not None else "",
            background=True,
            request_id=leg.request_id if leg is not None else "",
            began=job.created,
            ended=job.updated if job.state.final else None,
            error=job.error,
        )

    def event(self, told: Told) -> RunEvent:
        """What is told of one of its events."""
        name = told.event.name
        if name != STEP_DELTA:
            return RunEvent(number=told.event.number, name=name, at=told.at, item=_item_type(name))
        named = [call["function"].get("name", "") for call in _calls(msgspec.json.decode(told.event.body))]
        return RunEvent(
            number=told.event.number, name=name, at=told.at, item="function_call", tool=", ".join(filter(None, named))
        )

    def items(self, told: Iterable[Told]) -> list[RunItem]:
        """Messages and calls of functions, in the order in which they were begun."""
        found: dict[str, RunItem] = {}
        for each in told:
            _take(found, each.event.name, msgspec.json.decode(each.event.body), each.at)
        return list(found.values())


def _take(found: dict[str, RunItem], name: str, body: Mapping[str, Any], at: float | None) -> None:
    """What there is once this is told."""
    if name == f"{MESSAGE}.created":
        found[body["id"]] = RunItem(id=body["id"], type="message", status=body["status"], began=at)
    elif name == _MESSAGE_DELTA:
        _more(found, body["id"])
    elif name in (f"{MESSAGE}.completed", f"{MESSAGE}.incomplete"):
        _end(found, body["id"], body["status"], at)
    elif name == STEP_DELTA:
        for call in _calls(body):
            key = f"{body['id']}/{call['index']}"
            if "id" in call:
                called = call["function"]["name"]
                found[key] = RunItem(id=call["id"], type="function_call", name=called, status="in_progress", began=at)
            else:
                _more(found, key)
    elif name == _WAITS or (name.endswith(".failed") and body.get("type") == "tool_calls"):
        for key, item in found.items():
            if item.type == "function_call" and item.ended is None:
                _end(found, key, "completed" if name == _WAITS else "incomplete", at)


def _more(found: dict[str, RunItem], key: str) -> None:
    if key in found:
        found[key] = msgspec.structs.replace(found[key], pieces=found[key].pieces + 1)


def _end(found: dict[str, RunItem], key: str, status: str, at: float | None) -> None:
    if key in found:
        found[key] = msgspec.structs.replace(found[key], status=status, ended=at)


def _calls(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(body["delta"]["step_details"]["tool_calls"])


def _item_type(name: str) -> str:
    return "message" if name.startswith(f"{MESSAGE}.") else ""
