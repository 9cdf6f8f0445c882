"""Runs of threads and their steps: below each project, below OpenAI v1, and below `/openai`.

Source of paths, bodies and answers: `/threads` in OpenAI's specification, and the operations of `azure-ai-agents`
1.1.0. `include` is checked and decides nothing: it is about a tool that is not served.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from forehearth.assistants.kept import KeptRun
from forehearth.assistants.runs import Runs
from forehearth.assistants.stream import stream
from forehearth.core.exchange import Reply
from forehearth.core.permission import Permission
from forehearth.dialects.assistants.answer import STEP, Event
from forehearth.dialects.assistants.asked import Outputs, RunOfThread, RunWithThread
from forehearth.jobs.desk import Jobs
from forehearth.ports.surface import Entry
from forehearth.wire import lists
from forehearth.wire.asking import caller
from forehearth.wire.assistants import changed_metadata, order, shown_page
from forehearth.wire.envelope import as_json
from forehearth.wire.read_body import read_body
from forehearth.wire.table import Row

_EVENTS: Final = (b"content-type", b"text/event-stream; charset=utf-8")
_INCLUDES: Final = ("step_details.tool_calls[*].file_search.results[*].content",)
_RUN: Final = "thread.run"


class _Acts:
    """What is done at each of the paths."""

    def __init__(self, runs: Runs, jobs: Jobs) -> None:
        self._runs = runs
        self._jobs = jobs

    async def create_with_thread(self, entry: Entry, body: bytes) -> Reply:
        """A thread, and an assistant that answers it."""
        given = read_body(body, RunWithThread)
        thread, kept = await self._runs.begin_with_thread(caller(entry), given)
        return self._answer(entry, kept, [("thread.created", thread), *_begun(kept)], streams=given.stream)

    async def create(self, entry: Entry, body: bytes) -> Reply:
        """Have an assistant answer a thread."""
        lists.require_includable(entry.head, _INCLUDES)
        given = read_body(body, RunOfThread)
        (thread,) = entry.asked.ids
        kept = await self._runs.begin(caller(entry), thread, given)
        return self._answer(entry, kept, _begun(kept), streams=given.stream)

    async def list(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """A page of a thread's runs."""
        (thread,) = entry.asked.ids
        return shown_page(*await self._runs.page(entry.place, thread, order(entry.head)))

    async def get(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """One run as it is now."""
        thread, run = entry.asked.ids
        return as_json((await self._runs.get(entry.place, thread, run)).run)

    async def update(self, entry: Entry, body: bytes) -> Reply:
        """Other metadata."""
        metadata = changed_metadata(body)
        if metadata is None:
            return await self.get(entry, body)
        thread, run = entry.asked.ids
        return as_json(await self._runs.update(entry.place, thread, run, metadata))

    async def cancel(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """Nobody wants it any more."""
        thread, run = entry.asked.ids
        return as_json(await self._runs.cancel(entry.place, thread, run))

    async def submit(self, entry: Entry, body: bytes) -> Reply:
        """Go on with what the functions gave."""
        given = read_body(body, Outputs)
        thread, run = entry.asked.ids
        kept, done = await self._runs.submit(caller(entry), thread, run, given)
        head: list[Event] = [(f"{STEP}.completed", done), (f"{_RUN}.queued", kept.run)]
        return self._answer(entry, kept, head, streams=given.stream)

    async def steps(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """A page of a run's steps."""
        lists.require_includable(entry.head, _INCLUDES)
        thread, run = entry.asked.ids
        return shown_page(*await self._runs.steps(entry.place, thread, run, order(entry.head)))

    async def step(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """One step."""
        lists.require_includable(entry.head, _INCLUDES)
        thread, run, step = entry.asked.ids
        return as_json(await self._runs.step(entry.place, thread, run, step))

    def _answer(self, entry: Entry, kept: KeptRun, head: Sequence[Event], *, streams: bool | None) -> Reply:
        if not streams:
            return as_json(kept.run)
        told = stream(self._runs, self._jobs, entry.place, kept, head, asyncio.sleep)
        return Reply(status=200, headers=[_EVENTS], stream=told)


def rows(runs: Runs, jobs: Jobs) -> list[Row]:
    """The endpoints below OpenAI v1, and below `/openai`."""
    acts = _Acts(runs, jobs)
    read, write, read_steps = Permission.READ_RUNS, Permission.WRITE_RUNS, Permission.READ_RUN_STEPS
    every, one = "/threads/{thread_id}/runs", "/threads/{thread_id}/runs/{run_id}"
    table = (
        ("POST", "/threads/runs", write, "runs_create_with_thread", acts.create_with_thread),
        ("GET", every, read, "runs_list", acts.list),
        ("POST", every, write, "runs_create", acts.create),
        ("GET", one, read, "runs_get", acts.get),
        ("POST", one, write, "runs_update", acts.update),
        ("POST", f"{one}/cancel", write, "runs_cancel", acts.cancel),
        ("POST", f"{one}/submit_tool_outputs", write, "runs_submit", acts.submit),
        ("GET", f"{one}/steps", read_steps, "run_steps_list", acts.steps),
        ("GET", f"{one}/steps/{{step_id}}", read_steps, "run_steps_get", acts.step),
    )
    return [
        Row(method=method, form=form, permission=permission, name=name, act=act)
        for method, form, permission, name, act in table
    ]


def _begun(kept: KeptRun) -> list[Event]:
    return [(f"{_RUN}.created", kept.run), (f"{_RUN}.queued", kept.run)]
