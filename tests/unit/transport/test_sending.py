"""Bodies that are read while they are sent: whole, no faster than they are taken, and let go when nobody wants them."""

import asyncio

import pytest

from forehearth.core.document import StoreFailed
from forehearth.core.errors import Broken, TimedOut
from forehearth.core.upstream import Request, Timeouts
from forehearth.testing.raw_upstream import Peer, RawUpstream
from forehearth.transport.client import HttpClient

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
PIECE = b"x" * 65_536


class Body:
    """A body of so many pieces; it notes what is read of it."""

    def __init__(self, pieces: int, *, fails_at: int | None = None, size: int | None = None) -> None:
        self._pieces = pieces
        self._fails_at = fails_at
        self.size = pieces * len(PIECE) if size is None else size
        self.read = 0
        self.begun = asyncio.Event()
        self.closed = 0

    async def pieces(self):
        try:
            for number in range(self._pieces):
                if number == self._fails_at:
                    raise StoreFailed("as the test asked")
                await asyncio.sleep(0)
                self.read += 1
                self.begun.set()
                yield PIECE
        finally:
            self.closed += 1


def ask(upstream: RawUpstream, body: Body, **members) -> Request:
    return Request(origin=upstream.origin(), target=b"/v1/audio/transcriptions", source=body, **members)


async def answering(peer: Peer) -> None:
    while await peer.request():
        await peer.send(OK)


async def test_it_comes_whole_and_the_connection_is_kept(client: HttpClient) -> None:
    async with RawUpstream(answering) as upstream:
        for pieces in (0, 1, 40):
            body = Body(pieces)
            assert (await client.send(ask(upstream, body))).body == b"ok"
            head, _, got = upstream.requests[-1].partition(b"\r\n\r\n")
            assert b"content-length: %d\r\n" % body.size in head + b"\r\n"
            assert got == PIECE * pieces
            assert body.closed == 1
        assert upstream.connections == 1


async def test_no_more_is_read_than_the_host_takes(client: HttpClient) -> None:
    async with RawUpstream(lambda _: asyncio.sleep(0.3)) as upstream:
        body = Body(2_000)
        with pytest.raises(Broken):
            await client.send(ask(upstream, body))
        assert body.read < 1_000
        assert body.closed == 1


async def test_a_host_may_say_no_before_it_has_all_of_it(client: HttpClient) -> None:
    async def refusing(peer: Peer) -> None:
        await peer.receive(1_000)
        await peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        await peer.closed()

    async with RawUpstream(refusing) as upstream:
        body = Body(2_000)
        response = await client.send(ask(upstream, body))
        assert (response.status, response.body) == (413, b"no")
        await asyncio.sleep(0)
        assert body.closed == 1
        assert client.idle_connections == 0  # the rest of the body would be read as the next request


@pytest.mark.parametrize(("members", "words"), [({"fails_at": 3}, "as the test asked"), ({"size": 900_000}, "long")])
async def test_a_body_that_cannot_be_read_is_no_fault_of_the_host(client: HttpClient, members, words: str) -> None:
    body = Body(9, **members)
    async with RawUpstream(answering) as upstream:
        with pytest.raises(StoreFailed, match=words):
            await client.send(ask(upstream, body))
        assert upstream.requests == []
        assert client.idle_connections == 0


async def test_a_caller_that_leaves_ends_it(client: HttpClient) -> None:
    async with RawUpstream(lambda _: asyncio.sleep(1)) as upstream:
        body = Body(2_000)
        sending = asyncio.ensure_future(client.send(ask(upstream, body)))
        await asyncio.wait_for(body.begun.wait(), 5)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.sleep(0)
        read = body.read
        await asyncio.sleep(0.02)
        assert (body.read, body.closed) == (read, 1)


async def test_a_host_that_stops_reading_is_not_waited_for(client: HttpClient) -> None:
    async with RawUpstream(lambda _: asyncio.sleep(5)) as upstream:
        body = Body(2_000)
        with pytest.raises(TimedOut) as late:
            await client.send(ask(upstream, body, timeouts=Timeouts(first_byte=0.3)))
        assert late.value.phase == "first byte"


async def test_a_kept_connection_that_was_closed_gets_it_again(client: HttpClient) -> None:
    async def once(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if peer.number == 0:
            await peer.receive(1)
            peer.reset()

    async with RawUpstream(once) as upstream:
        for _ in range(2):
            body = Body(1)
            assert (await client.send(ask(upstream, body))).body == b"ok"
        assert client.counters.stale_retries == 1
        assert body.closed == 2


async def test_any_success_may_be_wanted_as_a_stream(client: HttpClient) -> None:
    async def speaking(peer: Peer) -> None:
        while await peer.request():
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: audio/wav\r\ncontent-length: 6\r\n\r\nabc", b"def")

    async with RawUpstream(speaking) as upstream:
        response = await client.send(ask(upstream, Body(1), streams=True))
        assert response.headers[b"content-length"] == b"6"
        assert response.stream is not None
        assert b"".join([piece async for piece in response.stream]) == b"abcdef"
        assert (await client.send(ask(upstream, Body(1)))).body == b"abcdef"
