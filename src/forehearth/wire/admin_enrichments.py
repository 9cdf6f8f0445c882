"""Jobs of enrichment over REST, in the form of Azure's long-running operations.

`POST` answers 202 with `Operation-Location`; what is there says how the operation is, and when to look again, until
its `status` is `Succeeded`, `Failed` or `Canceled`. A job that a limit ended has failed: what waits for it must not go
on as if all rows had landed.
"""

import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Self, get_args

import msgspec

from forehearth.admin.enrichments import Deed, Enrichments, InvalidJob, Operation, Wanted
from forehearth.admin.office import Office
from forehearth.core.errors import Conflict, ForehearthError, InvalidField
from forehearth.core.exchange import Header, Reply
from forehearth.core.job import JobState
from forehearth.core.money import plain
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.enrichment import report
from forehearth.enrichment.run_record import Run
from forehearth.wire import admin_bodies as bodies
from forehearth.wire.admin_asked import (
    ACCEPTED,
    MOST,
    NO_STORE,
    OK,
    Asked,
    Handler,
    admin_endpoint,
    json_reply,
    no_content,
    page_reply,
)

PATH: Final = "/admin/enrichments"
_ONE: Final = f"{PATH}/{{id}}"
ENDPOINTS: Final = tuple(
    admin_endpoint(method, path, f"enrichments.{name}", permission=Permission.ENRICH)
    for method, path, name in (
        ("GET", PATH, "list"),
        ("POST", PATH, "create"),
        ("GET", _ONE, "get"),
        ("POST", f"{_ONE}/cancel", "cancel"),
        ("GET", f"{_ONE}/report", "report"),
        ("DELETE", _ONE, "delete"),
    )
)
PARAMETERS: Final[Mapping[str, frozenset[str]]] = {
    "enrichments.list": frozenset({"resource", "limit", "after", "name"}),
    "enrichments.create": frozenset({"resource", "deed", "sample"}),
    "enrichments.report": frozenset({"resource", "format"}),
}
RETRY_SECONDS: Final = 2
"""When to look again."""
OPERATION_ID: Final = b"operation-id"
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MOST_SAMPLE: Final = 1_000
_STATUS: Final = {
    JobState.WAITING: "NotStarted",
    JobState.RUNNING: "Running",
    JobState.SUCCEEDED: "Succeeded",
    JobState.FAILED: "Failed",
    JobState.CANCELLED: "Canceled",
}
_HTML: Final[Header] = (b"content-type", b"text/html; charset=utf-8")
_NO_SNIFF: Final[Header] = (b"x-content-type-options", b"nosniff")
_SANDBOX: Final[Header] = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; sandbox")
_NO_SERVER: Final = "No server works here that could run jobs: 'forehearth enrich run' without --url runs them itself."


class SpentView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a run has used. `cost` is text, so that it stays exact."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: str
    currency: str
    unpriced: int
    """Answers whose cost is not known."""
    seconds: float


class RunState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a job's run is at, over all the times that it was begun again."""

    id: str
    status: str
    reason: str
    limit: str
    """The limit that was reached, where it is incomplete."""
    fingerprint: str
    source_version: str
    started: datetime
    updated: datetime
    ended: datetime | None
    rows: int | None
    """Rows of the source, where that is known."""
    done: int
    """Rows that have landed, in the sink or in the quarantine."""
    failed: int
    """Those of them without an answer."""
    reused: int
    chunks: int
    spent: SpentView
    seconds_left: float | None
    """As the last rows went; None where that cannot be told."""
    errors: dict[str, int]
    """Rows without an answer, by the code of the reason."""
    quarantine: str
    """Where they are; empty where they go to no table of their own."""
    warnings: list[str]

    @classmethod
    def of(cls, run: Run) -> Self:
        """A run as it is shown."""
        spent = run.spent
        return cls(
            id=run.id,
            status=run.status,
            reason=run.reason,
            limit=run.limit,
            fingerprint=run.fingerprint,
            source_version=run.source_version,
            started=bodies.moment(run.started),
            updated=bodies.moment(run.updated),
            ended=bodies.moment_or_none(run.ended),
            rows=run.rows,
            done=run.done,
            failed=run.failed,
            reused=run.reused,
            chunks=run.chunks,
            spent=SpentView(
                requests=spent.requests,
                prompt_tokens=spent.prompt_tokens,
                completion_tokens=spent.completion_tokens,
                cost=plain(spent.cost),
                currency=run.currency,
                unpriced=spent.unpriced,
                seconds=round(spent.seconds, 3),
            ),
            seconds_left=_left(run),
            errors=run.errors,
            quarantine=run.quarantine,
            warnings=run.warnings,
        )


class EnrichmentView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An operation: what is wanted of a job, and how that is."""

    id: str
    name: str
    """The job's."""
    status: str
    """`NotStarted`, `Running`, `Succeeded`, `Failed` or `Canceled`."""
    created: datetime
    updated: datetime
    cancel_asked: bool
    attempts: int
    """How often it was begun; more than once where its worker died."""
    run: RunState | None
    plan: dict[str, Any] | None
    """What a plan found."""
    incomplete: bool
    """Whether a limit ended it before all rows had landed."""
    error: bodies.AdminError | None

    @classmethod
    def of(cls, operation: Operation) -> Self:
        """An operation as it is shown."""
        job, run = operation.job, operation.shown.run
        error = None if job.error is None else bodies.AdminError(code=job.error.code, message=job.error.message)
        return cls(
            id=job.id,
            name=job.subject,
            status=_STATUS[job.state],
            created=bodies.moment(job.created),
            updated=bodies.moment(job.updated),
            cancel_asked=job.cancel_asked,
            attempts=job.attempts,
            run=None if run is None else RunState.of(run),
            plan=operation.shown.plan,
            incomplete=job.error is not None and job.error.code == "incomplete",
            error=error,
        )


class PointView(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run was, in seconds of its work."""

    seconds: float
    done: int
    failed: int
    requests: int
    tokens: int
    cost: str


class ReportView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a run: its course, and some of the rows that landed, their values shortened."""

    operation: EnrichmentView
    course: list[PointView]
    latency: list[int]
    """Calls by how long they took: a millisecond at most, and then each class twice as long as the one before."""
    rows: list[dict[str, str | None]]


class EnrichmentPages:
    """The endpoints of jobs of enrichment."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self.handlers: Mapping[str, Handler] = {
            "enrichments.list": self._list,
            "enrichments.create": self._create,
            "enrichments.get": self._get,
            "enrichments.cancel": self._cancel,
            "enrichments.report": self._report,
            "enrichments.delete": self._delete,
        }

    async def _list(self, asked: Asked) -> Reply:
        limit = bodies.count(asked.query.get("limit"), most=MOST)
        found, after = await self._desk.page(
            Place(resource=asked.resource), limit, after=asked.query.get("after"), name=asked.query.get("name")
        )
        return page_reply(PATH, asked.query, tuple(map(EnrichmentView.of, found)), after)

    async def _create(self, asked: Asked) -> Reply:
        desk, operation = self._desk, _operation_id(asked)
        wanted = _wanted(asked, await asked.body())
        asked.note.target = operation
        asked.note.detail = f"{wanted.deed} {str(wanted.job.get('name', ''))[:128]}".strip()
        found = await desk.submit(Place(resource=asked.resource), wanted, operation)
        return self._accepted(asked, found)

    async def _get(self, asked: Asked) -> Reply:
        found = await self._desk.get(Place(resource=asked.resource), asked.id)
        return json_reply(OK, EnrichmentView.of(found), *_look_again(found))

    async def _cancel(self, asked: Asked) -> Reply:
        found = await self._desk.cancel(Place(resource=asked.resource), asked.id)
        asked.note.detail = found.job.subject
        return self._accepted(asked, found)

    async def _delete(self, asked: Asked) -> Reply:
        found = await self._desk.remove(Place(resource=asked.resource), asked.id)
        asked.note.detail = found.job.subject
        return no_content()

    async def _report(self, asked: Asked) -> Reply:
        form = asked.query.get("format", "json")
        if form not in ("json", "html"):
            raise InvalidField("Invalid value for 'format': expected json or html.", param="format")
        found = await self._desk.get(Place(resource=asked.resource), asked.id)
        run = found.shown.run
        if run is None:
            raise Conflict("There is nothing to report of it yet.")
        if form == "html":
            page = report.page(run, found.shown.rows).encode()
            return Reply(status=OK, headers=(_HTML, NO_STORE, _NO_SNIFF, _SANDBOX), body=page)
        course = [
            PointView(
                seconds=each.seconds,
                done=each.done,
                failed=each.failed,
                requests=each.requests,
                tokens=each.tokens,
                cost=plain(each.cost),
            )
            for each in run.points
        ]
        view = EnrichmentView.of(found)
        return json_reply(OK, ReportView(operation=view, course=course, latency=run.latency, rows=found.shown.rows))

    @property
    def _desk(self) -> Enrichments:
        if self._office.enrichments is None:
            raise Conflict(_NO_SERVER)
        return self._office.enrichments

    def _accepted(self, asked: Asked, found: Operation) -> Reply:
        query = f"?resource={asked.resource}" if "resource" in asked.query else ""
        location = f"{asked.base}{PATH}/{found.job.id}{query}".encode("latin-1")
        headers = ((b"operation-location", location), (b"operation-id", found.job.id.encode()), *_look_again(found))
        return json_reply(ACCEPTED, EnrichmentView.of(found), *headers)


def details(error: ForehearthError) -> list[bodies.AdminError]:
    """Each of the things that are wrong with a job."""
    if not isinstance(error, InvalidJob):
        return []
    return [
        bodies.AdminError(
            code="invalid_value",
            message=f"{each.message}; {each.hint}" if each.hint else each.message,
            target=each.path or None,
        )
        for each in error.problems
    ]


def _operation_id(asked: Asked) -> str:
    """The id that the caller chose, or a new one. Raises `InvalidField`."""
    given = asked.headers.get(OPERATION_ID)
    if given is None:
        return f"enrich-{secrets.token_hex(12)}"
    text = given.decode("latin-1")
    if not _ID.fullmatch(text):
        raise InvalidField(
            "Invalid value for the header 'Operation-Id': at most 128 letters, digits, '.', '_' and '-', beginning "
            "with a letter or a digit.",
            param="Operation-Id",
        )
    return text


def _wanted(asked: Asked, body: bytes) -> Wanted:
    deed = asked.query.get("deed", "run")
    for each in get_args(Deed):
        if each == deed:
            job = bodies.read_any(body)
            return Wanted(job=job, deed=each, sample=_sample(asked, deed), by=asked.principal.name)
    raise InvalidField("Invalid value for 'deed': expected run, resume, retry or plan.", param="deed")


def _sample(asked: Asked, deed: str) -> int | None:
    text = asked.query.get("sample")
    if text is None:
        return None
    if deed != "plan":
        raise InvalidField("'sample' is for deed=plan.", param="sample")
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_MOST_SAMPLE)) and int(text) <= _MOST_SAMPLE):
        raise InvalidField(f"Invalid value for 'sample': expected a number from 0 to {_MOST_SAMPLE}.", param="sample")
    return int(text)


def _look_again(found: Operation) -> tuple[Header, ...]:
    return () if found.ended else ((b"retry-after", str(RETRY_SECONDS).encode()),)


def _left(run: Run) -> float | None:
    """Seconds of work that are left, by the pace of the last points of its course."""
    if run.rows is None or run.ended is not None:
        return None
    points = run.points[-10:]
    if len(points) < 2 or points[-1].done <= points[0].done:  # noqa: PLR2004 - a pace has two ends
        return None
    pace = (points[-1].done - points[0].done) / (points[-1].seconds - points[0].seconds)
    return round(max(0, run.rows - run.done) / pace, 1)
