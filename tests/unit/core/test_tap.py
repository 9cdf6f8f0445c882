"""What a stream passes through on its way out: the same bytes, whether they are asked for or poured."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.core.errors import Broken
from forehearth.core.tap import Tap, pour
from forehearth.transport.stream import BodyStream


class Source:
    """Counts what is asked of it."""

    def __init__(self):
        self.held = self.resumed = self.aborted = 0

    def hold(self):
        self.held += 1

    def resume(self):
        self.resumed += 1

    def abort(self):
        self.aborted += 1


class Lines(Tap):
    """Passes whole lines, in capitals; the rest comes at the end, or is told with what went wrong."""

    def __init__(self, stream, *, most=None):
        super().__init__(stream)
        self.rest = b""
        self.most = most
        self.may_cut = most is not None

    def take(self, piece):
        whole, line_end, self.rest = (self.rest + piece).rpartition(b"\n")
        shown = (whole + line_end).upper()
        if self.most is not None:
            shown, self.most = shown[: self.most], self.most - len(shown)
            self.over = self.most <= 0
        return shown

    def end(self):
        return self.rest

    def broke(self, error):
        return b"[broke]" if isinstance(error, Broken) else b""


class Doubled(Tap):
    def take(self, piece):
        return piece + piece


def stream(high=1_000):
    source = Source()
    return source, BodyStream(source, high, asyncio.get_running_loop())


async def pulled(tapped):
    return b"".join([piece async for piece in tapped])


async def poured(tapped, *, every=None):
    """As the server reads: poured as long as the reader is fast, which it is not after every so many pieces."""
    out = []

    def take(piece):
        assert piece
        out.append(piece)
        return every is None or len(out) % every != 0

    future = pour(tapped, take, lambda: None)
    assert future is not None
    await future
    out += [piece async for piece in tapped]
    return b"".join(out)


PIECES = st.lists(st.binary(min_size=1, max_size=6) | st.sampled_from([b"\n", b"ab\n", b"cd"]), max_size=12)


@given(
    pieces=PIECES, before=st.integers(0, 12), every=st.none() | st.integers(1, 4), most=st.none() | st.integers(1, 20)
)
def test_poured_and_pulled_are_the_same(pieces, before, every, most):
    """However the pieces are cut, whatever waits already, however fast the reader is, and wherever it is cut off."""

    async def read(reader):
        _, body = stream()
        tapped = Lines(body, most=most) if most is not None else Doubled(Lines(body))
        for piece in pieces[:before]:
            body.feed(piece)
        reading = asyncio.ensure_future(reader(tapped))
        await asyncio.sleep(0)
        for piece in pieces[before:]:
            body.feed(piece)
            await asyncio.sleep(0)
        body.end()
        return await reading

    async def both():
        assert await read(pulled) == await read(lambda tapped: poured(tapped, every=every))

    asyncio.run(both())


async def test_a_break_is_told_and_then_raised_poured_as_pulled():
    for reader in (pulled, poured):
        _, body = stream()
        body.feed(b"one\ntw")
        tapped, seen = Lines(body), []
        reading = asyncio.ensure_future(collect(tapped, seen, reader is poured))
        await asyncio.sleep(0)
        body.fail(Broken("the host went away"))
        with pytest.raises(Broken):
            await reading
        assert b"".join(seen) == b"ONE\n[broke]"
        with pytest.raises(Broken):
            await anext(tapped)


async def collect(tapped, seen, is_poured):
    if is_poured:
        await pour(tapped, lambda piece: not seen.append(piece), lambda: None)
    async for piece in tapped:
        seen.append(piece)


async def test_the_end_is_heard_of_together_with_the_last_piece():
    _, body = stream()
    out = []
    future = pour(Doubled(Lines(body)), lambda piece: not out.append(piece), lambda: out.append("the end"))
    body.feed(b"one\ntw")
    body.end()
    assert out == [b"ONE\nONE\n", b"twtw", "the end"]
    await future
    assert out[3:] == []


@pytest.mark.parametrize("how", ["slow", "broken", "cut"])
async def test_no_end_is_told_of_where_there_was_another(how):
    _, body = stream()
    ends = []
    tapped = Lines(body, most=3 if how == "cut" else None)
    future = pour(tapped, lambda piece: how != "slow", lambda: ends.append("the end"))
    body.feed(b"one\n")
    if how == "broken":
        body.fail(Broken("the host went away"))
    else:
        body.end()
    await future
    assert ends == []


async def test_a_mistake_at_the_end_is_raised_where_it_is_waited_for():
    class Mistaken(Tap):
        def take(self, piece):
            return piece

        def end(self):
            raise LookupError("a mistake")

    _, body = stream()
    ends = []
    future = pour(Mistaken(body), lambda piece: True, lambda: ends.append("the end"))
    body.feed(b"one")
    body.end()
    with pytest.raises(LookupError):
        await future
    assert ends == []


async def test_what_is_cut_off_says_no_more_and_closing_it_ends_the_source():
    source, body = stream()
    tapped, seen = Lines(body, most=4), []
    future = pour(tapped, lambda piece: not seen.append(piece), lambda: None)
    body.feed(b"one\n")
    assert future.done()
    body.feed(b"two\n")
    assert [piece async for piece in tapped] == []
    await tapped.aclose()
    assert (b"".join(seen), source.aborted) == (b"ONE\n", 1)


async def test_a_mistake_in_what_takes_a_piece_is_raised_where_it_is_waited_for():
    source, body = stream()

    def take(piece):
        raise LookupError("a mistake")

    future = pour(Doubled(body), take, lambda: None)
    body.feed(b"one")
    with pytest.raises(LookupError):
        await future
    await body.aclose()
    assert source.aborted == 1


async def test_pieces_that_waited_come_first_and_the_source_reads_on():
    source, body = stream(high=4)
    body.feed(b"12345")
    assert source.held == 1
    seen = []
    future = pour(body, lambda piece: not seen.append(piece), lambda: None)
    assert (seen, source.resumed) == ([b"12345"], 1)
    body.feed(b"6")
    assert seen == [b"12345", b"6"]
    body.end()
    await future
    assert [piece async for piece in body] == []


async def test_what_is_closed_while_it_is_poured_ends_for_whoever_waits():
    source, body = stream()
    future = pour(body, lambda piece: True, lambda: None)
    await body.aclose()
    await future
    assert source.aborted == 1
    with pytest.raises(StopAsyncIteration):
        await anext(body)


async def test_a_generator_cannot_be_poured():
    async def pieces():
        yield b"one\n"

    tapped = Lines(pieces())
    assert pour(tapped, lambda piece: True, lambda: None) is None
    assert await pulled(tapped) == b"ONE\n"
