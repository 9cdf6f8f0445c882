"""A stream begins where the sink says, makes pieces that say where it is, and says what is no longer there."""

import json
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from forehearth.enrichment.messages import Message, MessageReader
from forehearth.enrichment.source import SourceFailed
from forehearth.enrichment.stream import FROM, Stream


class FakeTopic:
    """Partitions as lists of values; the first offset of each may have been removed."""

    def __init__(self, *partitions: Sequence[int | None], low: int = 0) -> None:
        self.read = MessageReader({"id": "int64"})
        self.held = [list(each) for each in partitions]
        self.low = low
        self.position: dict[int, int] = {}

    def partitions(self):
        return list(range(len(self.held)))

    def bounds(self):
        return {at: (self.low, len(each)) for at, each in enumerate(self.held)}

    def behind(self):
        return sum(len(self.held[at]) - position for at, position in self.position.items())

    def seek(self, offsets):
        self.position = dict(offsets)

    def take(self, most, seconds, patience):
        taken = []
        # One message of each partition in turn, so that pieces mix them.
        while len(taken) < most:
            behind = [at for at in self.position if self.position[at] < len(self.held[at])]
            if not behind:
                break
            at = min(behind, key=lambda each: (self.position[each], -each))
            value = self.held[at][self.position[at]]
            if value is not None:
                raw = json.dumps({"id": value}).encode()
                taken.append(Message(partition=at, offset=self.position[at], value=raw))
            self.position[at] += 1
        return taken


class FakeSink:
    def __init__(self, marks=None, note=None):
        self.kept = marks or {}
        self.told = note or {}

    def marks(self, names):
        return {name: self.kept[name] for name in names if name in self.kept}

    def note(self, number):
        return self.told


def stream(topic, *, size=100, linger=None, newest=False, warn=None, monotonic=lambda: 0.0):
    told = warn if warn is not None else []
    return Stream(topic, size=size, linger=linger, patience=60, newest=newest, warn=told.append, monotonic=monotonic)


async def taken(found, sink=None, landed=0):
    return [each async for each in found.pieces(sink or FakeSink(), landed) if each is not None]


async def test_pieces_say_where_the_topic_was_read_to():
    first, second = await taken(stream(FakeTopic([1, 2, 3], [4, None]), size=3))
    assert [first.number, second.number] == [1, 2]
    assert first.rows.column("id").to_pylist() == [1, 2, 4]
    assert first.marks == {"0": 2, "1": 1, "rows": 3}
    assert json.loads(first.note[FROM]) == {"0": 0, "1": 0}
    assert (first.done, first.behind) == (3, 1)
    assert second.marks == {"0": 3, "1": 1, "rows": 4}
    assert (second.done, second.behind) == (4, 0)


async def test_it_goes_on_where_the_sink_says():
    sink = FakeSink({"0": 2, "1": 1, "rows": 3})
    landed, piece = await taken(stream(FakeTopic([1, 2, 3], [4])), sink, landed=7)
    assert (landed.number, landed.rows.num_rows, landed.done, landed.marks) == (7, 0, 3, {})
    assert (piece.number, piece.rows.column("id").to_pylist(), piece.done) == (8, [3], 4)


async def test_the_last_chunk_is_read_again_where_rows_of_it_failed():
    note = {FROM: '{"0": 1, "1": 0}', "forehearth.rows": "3", "forehearth.failed": "[]"}
    sink = FakeSink({"0": 3, "1": 1, "rows": 4}, note)
    (landed,) = await taken(stream(FakeTopic([1, 2, 3], [4])), sink, landed=7)
    assert landed.rows.column("id").to_pylist() == [2, 3, 4]
    warned = []
    (landed,) = await taken(stream(FakeTopic([1, 2, 3], [None]), warn=warned), sink, landed=7)
    assert landed.rows.num_rows == 0
    assert "messages of the last chunk are gone" in warned[0]


async def test_from_the_next_message_on_is_written_down_at_once():
    (begun,) = await taken(stream(FakeTopic([1, 2], [3]), newest=True))
    assert (begun.number, begun.rows.num_rows, begun.marks) == (1, 0, {"0": 2, "1": 1, "rows": 0})
    # A partition that came since is read from its first message on.
    _, piece = await taken(stream(FakeTopic([1, 2], [3], [4]), newest=True), FakeSink(begun.marks), landed=1)
    assert piece.rows.column("id").to_pylist() == [4]


async def test_what_was_removed_before_it_was_read_is_told():
    warned = []
    _, piece = await taken(stream(FakeTopic([1, 2, 3], low=2), warn=warned), FakeSink({"0": 1, "rows": 1}), landed=1)
    assert piece.rows.column("id").to_pylist() == [3]
    assert warned == ["1 messages of partition 0 were removed before they were read"]


async def test_a_topic_that_was_made_anew_is_not_that_topic():
    with pytest.raises(SourceFailed, match="the topic was made anew"):
        await taken(stream(FakeTopic([1])), FakeSink({"0": 5, "rows": 5}), landed=1)


async def test_what_is_not_full_lands_when_it_has_waited_and_new_partitions_are_found():
    clock, topic = SimpleNamespace(now=0.0), FakeTopic([1])
    pieces = stream(topic, linger=5.0, monotonic=lambda: clock.now).pieces(FakeSink(), 0)
    assert await anext(pieces) is None
    clock.now = 4.9
    assert await anext(pieces) is None
    clock.now = 5.0
    assert (await anext(pieces)).rows.column("id").to_pylist() == [1]
    assert await anext(pieces) is None
    topic.held.append([2])
    clock.now = 70.0
    assert await anext(pieces) is None
    assert await anext(pieces) is None
    clock.now = 76.0
    assert (await anext(pieces)).marks == {"0": 1, "1": 1, "rows": 2}
    await pieces.aclose()
