"""A response that streams: chat completions go in, events come out, and it is stored before its last event is sent."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Self

from forehearth.core.document import StoreFailed
from forehearth.core.errors import ForehearthError
from forehearth.core.exchange import Stream
from forehearth.core.record import CallRecord
from forehearth.dialects.responses import states
from forehearth.dialects.responses.answer import Answer, Event, encoded
from forehearth.dialects.responses.passed import Passed
from forehearth.responses.marks import Marks, Times

Keep = Callable[[dict[str, Any], Times], Awaitable[None]]
"""Stores a response with the times of its items, to the end although whoever waits for it is gone.

Raises `StoreFailed`, or what else keeps it from being stored.
"""
_NOT_KEPT: Final = "The response could not be stored. Send the request again, or with 'store' set to false."

_log = logging.getLogger("forehearth.responses")


class Run:
    """The stream of one response's events. `keep` is None for one that is not stored.

    A client that leaves before the last event leaves a response that is `cancelled`, with what there was of it.
    """

    __slots__ = ("_answer", "_due", "_keep", "_marks", "_record", "_source")

    def __init__(
        self, answer: Answer | Passed, source: Stream | None, keep: Keep | None, record: CallRecord, marks: Marks
    ) -> None:
        self._answer = answer
        self._marks = marks
        self._source = source
        self._keep = keep
        self._record = record
        self._due: list[Event] = []

    async def begin(self, first: list[Event]) -> None:
        """The events that are there before the model's next word."""
        await self._add(first)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next events, as they are sent."""
        while not self._due:
            if self._answer.over:
                raise StopAsyncIteration
            await self._add(await self.more())
            self._tell_failure()
        due, self._due = self._due, []
        return b"".join(map(encoded, due))

    async def aclose(self) -> None:
        """See `core.exchange.Stream`."""
        source, self._source = self._source, None
        left = not self._answer.over
        self._answer.cancel()
        try:
            if source is not None:
                await source.aclose()
        finally:
            if left and self._keep is not None:
                await self._kept()

    async def more(self) -> list[Event]:
        """The events that come next. At the end of what there is, `StopAsyncIteration`."""
        source = self._source
        if source is None:
            raise StopAsyncIteration
        try:
            piece = await source.__anext__()
        except StopAsyncIteration:
            events = self._answer.finish()
        except ForehearthError as error:
            events = self._answer.fail(error)
        else:
            events = self._answer.feed(piece)
        if self._answer.over:
            await source.aclose()
        return events

    def _tell_failure(self) -> None:
        failure = self._answer.failure
        if failure is not None and self._record.outcome != failure.code:
            self._record.outcome = failure.code
            _log.warning("a response failed: %s", failure.message)

    async def _add(self, events: list[Event]) -> None:
        """Send them; the last one of all only when the response is stored."""
        self._marks.note(events)
        if events and self._answer.over and self._keep is not None and not await self._kept():
            last = {"code": "server_error", "message": _NOT_KEPT, "param": None}
            events[-1] = {"type": states.ERROR, "sequence_number": events[-1]["sequence_number"], **last}
        self._due += events

    async def _kept(self) -> bool:
        """Store the response as it is; whether that went well."""
        keep, self._keep = self._keep, None
        if keep is None:
            return True
        try:
            await keep(self._answer.response, self._marks.times)
        except (StoreFailed, ForehearthError):
            return False
        return True
