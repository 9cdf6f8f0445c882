"""Jobs as rows, the same in every database: what is bound to a statement, and what comes back."""

from collections.abc import Mapping
from typing import Any

from forehearth.core.job import LOST, Ending, Job, JobError, JobQuery, JobState, Lease, NewJob
from forehearth.core.place import Place

OF_LOST = {"lost_code": LOST.code, "lost_message": LOST.message}
"""Why those fail that have had all of their attempts, to be bound."""


def of_key(place: Place, id: str) -> dict[str, Any]:  # noqa: A002 - the port's
    """Which job is meant, to be bound."""
    return {"resource": place.resource, "project": place.project, "agent": place.agent, "id": id}


def of_new(job: NewJob) -> dict[str, Any]:
    """A new one, to be bound."""
    return {
        **of_key(job.place, job.id),
        "kind": job.kind,
        "subject": job.subject,
        "input": job.input,
        "most_attempts": job.most_attempts,
        "delay": job.delay,
        "kept": job.kept,
    }


def of_lease(lease: Lease) -> dict[str, Any]:
    """Whose right is shown, to be bound."""
    return {"job": lease.job, "fence": lease.fence}


def of_ending(lease: Lease, ending: Ending) -> dict[str, Any]:
    """How a job ends, to be bound."""
    error = ending.error
    return {
        **of_lease(lease),
        "state": ending.state.value,
        "result": ending.result,
        "error_code": None if error is None else error.code,
        "error_message": None if error is None else error.message,
    }


def of_query(query: JobQuery) -> dict[str, Any]:
    """What a page is asked for, to be bound."""
    place = query.place
    return {
        "resource": place.resource,
        "project": place.project,
        "agent": place.agent,
        "kind": query.kind,
        "subject": query.subject,
        "state": None if query.state is None else query.state.value,
        "before": query.before,
        "limit": query.limit,
    }


def page_query(query: JobQuery) -> str:
    """The name of the query for a page."""
    return "page" if query.subject is None else "of_subject"


def job(row: Mapping[str, Any]) -> Job:
    """The job of a row, by the names of the table's columns."""
    code, result = row["error_code"], row["result"]
    return Job(
        place=Place(resource=row["resource"], project=row["project"], agent=row["agent"]),
        kind=row["kind"],
        id=row["id"],
        subject=row["subject"],
        input=bytes(row["input"]),
        sequence=row["sequence"],
        state=JobState(row["state"]),
        attempts=row["attempts"],
        most_attempts=row["most_attempts"],
        fence=row["fence"],
        due=row["due"],
        cancel_asked=bool(row["cancel_asked"]),
        created=row["created"],
        updated=row["updated"],
        kept=row["kept"],
        expires=row["expires"],
        result=None if result is None else bytes(result),
        error=None if code is None else JobError(code=code, message=row["error_message"]),
    )
