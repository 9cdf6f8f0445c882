"""Puts classic agents together: their endpoints, and what carries out their runs."""

from typing import Final

from forehearth.assistants.kept import Kept
from forehearth.assistants.runs import Runs
from forehearth.assistants.threads import Threads
from forehearth.assistants.work import Work
from forehearth.jobs.desk import Jobs
from forehearth.ports.door import Door
from forehearth.server.responses import Around, counting
from forehearth.server.working import Workshop
from forehearth.wire import assistants, thread_runs
from forehearth.wire.table import Row

KIND: Final = "thread_run"
"""The kind of the jobs that carry out runs."""


def made_assistants(around: Around, door: Door, workshop: Workshop, resource: str) -> tuple[list[Row], list[Row]]:
    """The endpoints of the resource whose models the `door` leads to, and of its projects.

    Runs are carried out in the `workshop`.
    """
    kept = Kept(around.documents, new_id=around.conversations.new_id, clock=around.clock)
    jobs, threads = Jobs(around.jobs, KIND), Threads(kept)
    runs = Runs(kept, threads, jobs, nudge=around.nudge)
    workshop.add(KIND, resource, Work(kept, jobs, door, counting))
    family = [*assistants.rows(kept, threads, runs), *thread_runs.rows(runs, jobs)]
    return family, assistants.of_project(threads, family)
