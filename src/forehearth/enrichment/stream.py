"""A topic as pieces that land: from where the sink says that it was read to, in order, each message once.

A piece's commit writes down the next offset of each partition, beside the piece's number. Whoever comes next goes on
there, whatever became of the process before, and finds nothing anywhere else to go on from.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Final

import msgspec

from forehearth.enrichment.messages import Message
from forehearth.enrichment.sink import Sink
from forehearth.enrichment.source import Piece, SourceFailed
from forehearth.enrichment.sources.kafka import Topic

ROWS: Final = "rows"
"""The mark that counts the rows that have landed, in the sink or in the quarantine."""
FROM: Final = "forehearth.from"
"""The member of a chunk's note with the offset of each partition at which it begins."""
_HELD: Final = "forehearth.rows"
"""The one with the number of its rows."""
_LOOK: Final = 0.2
"""Seconds until a stop is heard, while no messages come."""
_NEW_PARTITIONS: Final = 60.0
"""Seconds between two looks for partitions that were added."""
_AGAIN: Final = 60.0
"""Seconds within which messages that were read before are there again."""


class Stream:
    """Makes pieces of `size` rows at most. One that is not full lands when its first message has waited `linger`."""

    def __init__(  # noqa: PLR0913 - what is passed in is what the job says, and a clock
        self,
        topic: Topic,
        *,
        size: int,
        linger: float | None,
        patience: float,
        newest: bool,
        warn: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._topic = topic
        self._size = size
        self._linger = linger
        self._patience = patience
        self._newest = newest
        self._warn = warn
        self._monotonic = monotonic
        self._at: dict[int, int] = {}
        self._rows = 0

    async def pieces(self, sink: Sink, landed: int) -> AsyncGenerator[Piece | None, None]:
        """See `source.Pieces`. It ends where it has no `linger`, at the messages that were there when it began.

        Raises `SourceFailed`.
        """
        goal = await asyncio.to_thread(self._begin, sink, landed)
        number = landed
        if landed:
            yield await asyncio.to_thread(self._again, sink, landed)
        elif self._newest:  # where that is has to be written down, or a later run would find another place
            number += 1
            yield self._piece(number, [])
        held, since, looked = list[Message](), 0.0, self._monotonic()
        while True:
            room = self._size - len(held)
            come = await asyncio.to_thread(self._topic.take, room, _LOOK, self._patience)
            now = self._monotonic()
            since = since if held else now
            held += come
            over = self._linger is None and self._reached(goal)
            if held and (over or len(held) >= self._size or (self._linger is not None and now - since >= self._linger)):
                number += 1
                yield self._piece(number, held)
                held = []
            if over:
                return
            if len(come) < room:
                yield None
            if not held and now - looked > _NEW_PARTITIONS:
                looked = now
                await asyncio.to_thread(self._find_new)

    def _begin(self, sink: Sink, landed: int) -> Mapping[int, int]:
        """Go to where the sink was left; the answer is where the topic ends now."""
        bounds = self._topic.bounds()
        marks = sink.marks([ROWS, *map(str, bounds)]) if landed else {}
        self._rows = marks.get(ROWS, 0)
        self._at = {}
        for partition, (low, high) in bounds.items():
            at = marks.get(str(partition))
            if at is None:
                at = high if self._newest and not landed else low
            elif at < low:
                self._warn(f"{low - at} messages of partition {partition} were removed before they were read")
                at = low
            elif at > high:
                raise SourceFailed(
                    f"source: partition {partition} ends at {high}, and what landed was read to {at}: the topic was "
                    "made anew; name another sink for it"
                )
            self._at[partition] = at
        self._topic.seek(self._at)
        return {partition: high for partition, (_, high) in bounds.items()}

    def _again(self, sink: Sink, landed: int) -> Piece:
        """The chunk that landed last, read once more where rows of it may not be in the quarantine yet."""
        note = sink.note(landed)
        rows, _ = self._topic.read.read([])
        wanted = msgspec.json.decode(note.get(FROM, "{}"), type=dict[int, int])
        if "forehearth.failed" in note and wanted:
            held = self._between(wanted)
            self._topic.seek(self._at)
            if len(held) == int(note[_HELD]):
                rows, _ = self._topic.read.read(held)
            else:
                self._warn("messages of the last chunk are gone: those that failed may be missing in the quarantine")
        return Piece(number=landed, rows=rows, done=self._rows)

    def _between(self, starts: Mapping[int, int]) -> list[Message]:
        """The messages from these offsets to where the sink was read to."""
        held, until = list[Message](), self._monotonic() + _AGAIN
        goal = {partition: self._at[partition] for partition in starts if partition in self._at}
        bounds = self._topic.bounds()
        self._topic.seek({partition: max(starts[partition], bounds[partition][0]) for partition in goal})
        while not self._reached(goal) and self._monotonic() < until:
            come = self._topic.take(self._size, _LOOK, self._patience)
            held += [each for each in come if each.offset < goal[each.partition]]
        return _in_order(held)

    def _piece(self, number: int, messages: list[Message]) -> Piece:
        """The messages as rows, and where the sink is read to with them."""
        held = _in_order(messages)
        rows, malformed = self._topic.read.read(held)
        before = {partition: self._at[partition] for partition in sorted({each.partition for each in held})}
        self._at |= {each.partition: each.offset + 1 for each in held}
        self._rows += len(held)
        note = {FROM: msgspec.json.encode(before).decode(), _HELD: str(len(held))}
        marks = {str(partition): offset for partition, offset in self._at.items()} | {ROWS: self._rows}
        return Piece(
            number=number,
            rows=rows,
            marks=marks,
            malformed=malformed,
            note=note,
            done=self._rows,
            behind=self._topic.behind(),
        )

    def _reached(self, goal: Mapping[int, int]) -> bool:
        position = self._topic.position
        return all(position.get(partition, 0) >= offset for partition, offset in goal.items())

    def _find_new(self) -> None:
        """Partitions that were added since are read from their first message on."""
        try:
            new = [each for each in self._topic.partitions() if each not in self._at]
        except SourceFailed:  # whoever takes messages knows how long to be patient
            return
        if new:
            self._at |= dict.fromkeys(new, 0)
            self._topic.seek(self._at | {k: v for k, v in self._topic.position.items() if k not in new})


def _in_order(messages: list[Message]) -> list[Message]:
    """The same order whenever they are read."""
    return sorted(messages, key=lambda each: (each.partition, each.offset))
