"""Responses that are made in the background, from the side of those who wait for them.

One is stored as it is asked for, and a job makes it. What it is until its end is what its job is: `queued` while nobody
has it, `in_progress` once somebody does. Its events are those of the job, numbered on from the two that follow from the
question, so that whoever lost a stream goes on with the number of the last event that arrived.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Self

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.errors import InvalidField, NotFound
from forehearth.core.exchange import Stream
from forehearth.core.job import Job, JobState, NewJob
from forehearth.core.place import Place
from forehearth.dialects.responses import states
from forehearth.dialects.responses.answer import Answer, Event, encoded
from forehearth.dialects.responses.asked import Question
from forehearth.dialects.responses.items import NewId, Resource
from forehearth.dialects.responses.objects import Frame
from forehearth.jobs.desk import Jobs
from forehearth.responses.caller import Asker, Caller
from forehearth.responses.kept import DAY, Kept, KeptResponses
from forehearth.responses.work import HEAD, event

EVENTS_KEPT: Final = DAY
"""Seconds for which a response can be streamed again after its end."""
PATIENCE: Final = 5.0
"""Seconds that cancelling waits for whoever makes the response; a worker that lives takes one or two."""
_LOOK_SECONDS: Final = 0.1
_LOST: Final = {"code": "server_error", "message": "Whoever made the response was lost, with what was to be made."}
Sleep = Callable[[float], Awaitable[None]]


class Background:
    """The desk. `nudge` tells this process's own worker that there is something to do."""

    def __init__(
        self,
        kept: KeptResponses,
        jobs: Jobs,
        *,
        new_id: NewId,
        clock: Clock,
        sleep: Sleep,
        nudge: Callable[[], None],
    ) -> None:
        self._kept = kept
        self._jobs = jobs
        self._new_id = new_id
        self._clock = clock
        self._sleep = sleep
        self._nudge = nudge

    async def begin(self, caller: Caller, question: Question, items: tuple[Resource, ...]) -> dict[str, Any]:
        """Have it made; the response as it is now, `queued`. Raises `StoreFailed`."""
        frame = Frame(id=self._new_id("resp"), created_at=int(self._clock.unix()), question=question)
        answer = Answer(frame, self._new_id, self._clock.unix)
        answer.queue()
        response = answer.response
        await self._kept.begin(caller, response, items, question)
        job = NewJob(
            place=caller.place,
            kind="response",
            id=frame.id,
            input=msgspec.json.encode(Asker.of(caller)),
            kept=EVENTS_KEPT,
        )
        await self._jobs.submit(job)
        self._nudge()
        return response

    async def shown(self, place: Place, kept: Kept) -> dict[str, Any]:
        """The response as it is now."""
        if kept.ended:
            return kept.response
        job = await self._job(place, kept)
        if job is not None and not job.state.final:
            status = "queued" if job.fence == 0 else "in_progress"
            return kept.response | {"status": status}
        kept = await self._kept.at(place, kept.response["id"])  # it may have ended since it was read
        return kept.response if kept.ended else await self._ended(place, kept, job)

    async def cancel(self, place: Place, kept: Kept) -> dict[str, Any]:
        """Break it off; the response then, whole. One that has ended stays as it is."""
        response = kept.response
        if kept.ended:
            return response
        if await self._job(place, kept) is not None:
            job = await self._jobs.cancel(place, response["id"])
            until = self._clock.monotonic() + PATIENCE
            while not job.state.final and self._clock.monotonic() < until:
                await self._sleep(_LOOK_SECONDS)
                job = await self._jobs.get(place, response["id"])
        return await self.shown(place, await self._kept.at(place, response["id"]))

    async def forget(self, place: Place, kept: Kept) -> None:
        """It is removed: whoever makes it need not go on."""
        if not kept.ended and await self._job(place, kept) is not None:
            await self._jobs.cancel(place, kept.response["id"])

    async def stream(self, place: Place, kept: Kept, *, after: int = -1) -> Stream:
        """Its events behind the one of that number, each as it comes, until its end.

        Raises `InvalidField` where its events are not kept any more.
        """
        if await self._job(place, kept) is None:
            message = "The events of this response are not kept any more: read it without 'stream'."
            raise InvalidField(message, param="stream")
        return _Pieces(self._events(place, kept.response, after))

    async def _events(self, place: Place, response: dict[str, Any], after: int) -> AsyncIterator[Event]:
        """The events; what a client would wait for that nobody was left to tell is told at the end."""
        begun = response | {"status": "queued", "output": [], "usage": None, "error": None, "completed_at": None}
        begun |= {"incomplete_details": None, "service_tier": None}
        head = (states.CREATED, states.QUEUED)
        for number in range(after + 1, HEAD):
            yield {"type": head[number], "sequence_number": number, "response": begun}
        last, id_ = max(after, HEAD - 1), response["id"]
        async for each in self._jobs.follow(place, id_, self._sleep, after=last - HEAD):
            found = event(each.number, each.name, each.body)
            if found["type"] == states.IN_PROGRESS:
                found["response"] = begun | {"status": "in_progress"}
            elif found["type"] in states.OF_RESPONSE:
                found["response"] = (await self._kept.at(place, id_)).response
            last = found["sequence_number"]
            yield found
            if found["type"] in states.OF_RESPONSE and found["type"] != states.IN_PROGRESS:
                return
        now = await self.shown(place, await self._kept.at(place, id_))
        if now["status"] == "failed" and (last > after or await self._was_told(place, id_, after)):
            yield {"type": states.FAILED, "sequence_number": last + 1, "response": now}

    async def _was_told(self, place: Place, id_: str, number: int) -> bool:
        """Whether the event of that number is one that was told; the one behind the last of these is none."""
        if number < HEAD:
            return True
        found = await self._jobs.events(place, id_, after=number - HEAD - 1, limit=1)
        return bool(found)

    async def _job(self, place: Place, kept: Kept) -> Job | None:
        try:
            return await self._jobs.get(place, kept.response["id"])
        except NotFound:
            return None

    async def _ended(self, place: Place, kept: Kept, job: Job | None) -> dict[str, Any]:
        """Nobody was left to say how it ended: what its job says is stored."""
        error = None
        if job is None or job.state is not JobState.CANCELLED:
            said = None if job is None else job.error
            error = _LOST if said is None else {"code": "server_error", "message": said.message}
        ended = kept.response | {"status": "cancelled" if error is None else "failed", "error": error}
        await self._kept.end(place, ended)
        return ended


class _Pieces:
    """Events as they are sent. One that is gone in the meantime ends its stream."""

    def __init__(self, events: AsyncIterator[Event]) -> None:
        self._events: AsyncIterator[Event] | None = events

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next event."""
        if self._events is None:
            raise StopAsyncIteration
        try:
            return encoded(await self._events.__anext__())
        except NotFound:
            await self.aclose()
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """See `core.exchange.Stream`. The response goes on being made."""
        events, self._events = self._events, None
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()
