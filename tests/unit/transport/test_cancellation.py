"""A call that is cancelled closes its connection at once, whatever it was waiting for."""

import asyncio

import pytest

from forehearth.core.errors import Broken
from forehearth.core.upstream import Origin, Request, TlsFiles
from forehearth.testing.raw_upstream import Peer, RawUpstream
from forehearth.transport.client import HttpClient

EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


async def reads_no_request(peer: Peer) -> None:
    peer.fire("reached")
    await asyncio.sleep(0.1)
    await peer.closed()


async def reads_a_request(peer: Peer) -> None:
    await peer.request()
    peer.fire("reached")
    await peer.closed()


async def sends_half_a_head(peer: Peer) -> None:
    await peer.request()
    await peer.send(EVENTS[:30])
    peer.fire("reached")
    await peer.closed()


async def sends_half_a_body(peer: Peer) -> None:
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    peer.fire("reached")
    await peer.closed()


async def sends_no_event(peer: Peer) -> None:
    await peer.request()
    await peer.send(EVENTS)
    peer.fire("reached")
    await peer.closed()


async def sends_an_event(peer: Peer) -> None:
    await peer.request()
    await peer.send(EVENTS + b"1\r\na\r\n")
    peer.fire("reached")
    await peer.closed()


async def shakes_no_hands(peer: Peer) -> None:
    await peer.receive(1)
    peer.fire("reached")
    await peer.closed()


PHASES = {
    "a large body on its way": (reads_no_request, "http"),
    "no answer yet": (reads_a_request, "http"),
    "within the head": (sends_half_a_head, "http"),
    "within the body": (sends_half_a_body, "http"),
    "before the first event": (sends_no_event, "http"),
    "between events": (sends_an_event, "http"),
    "within the handshake": (shakes_no_hands, "https"),
}


@pytest.mark.parametrize("phase", PHASES)
async def test_at_each_phase(client, authority, phase):
    script, scheme = PHASES[phase]

    async def call() -> None:
        tls = TlsFiles(ca_bundle=authority.bundle)
        origin = Origin(scheme=scheme, host="127.0.0.1", port=upstream.port, tls=tls)
        body = b"x" * 8_000_000 if script is reads_no_request else b"{}"
        response = await client.send(Request(origin=origin, target=b"/", body=body))
        async for _ in response.stream:
            pass

    async with RawUpstream(script) as upstream:
        task = asyncio.create_task(call())
        await upstream.until(lambda: upstream.fired["reached"] == 1)
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await upstream.until(lambda: upstream.open == 0)
        assert (client.open_connections, client.counters.stale_retries) == (0, 0)
        assert upstream.connections == 1


@pytest.mark.parametrize("turns", range(12))
async def test_at_each_turn_of_the_loop(client, turns):
    """From before the connection until after the answer: afterwards all connections are kept or closed, none lost."""

    async def script(peer: Peer) -> None:
        while await peer.request():
            await peer.send(EVENTS + b"1\r\na\r\n", b"0\r\n\r\n")

    async with RawUpstream(script) as upstream:
        for warm in (False, True):
            if warm:
                response = await client.send(Request(origin=upstream.origin(), target=b"/"))
                assert [piece async for piece in response.stream]
            task = asyncio.create_task(client.send(Request(origin=upstream.origin(), target=b"/")))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            try:
                response = await task
            except asyncio.CancelledError:
                pass
            else:
                await response.stream.aclose()
            await asyncio.sleep(0.02)
            assert client.open_connections == client.idle_connections
            await upstream.until(lambda: upstream.open == client.open_connections)


async def test_in_the_turn_in_which_a_stream_began(client):
    """The response is there, but its caller learns only that it was cancelled: nobody else can close the stream."""
    async with RawUpstream(sends_no_event) as upstream:
        task = asyncio.create_task(client.send(Request(origin=upstream.origin(), target=b"/")))
        await upstream.until(lambda: upstream.fired["reached"] == 1)
        (connection,) = next(iter(client._pools.values()))._connections
        while not task.done() and connection._stream is None:  # noqa: ASYNC110 - the very turn is meant
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert client.open_connections == 0
        await upstream.until(lambda: upstream.open == 0)


async def test_a_stream_closed_before_it_was_read(client):
    async with RawUpstream(sends_an_event) as upstream:
        response = await client.send(Request(origin=upstream.origin(), target=b"/"))
        await response.stream.aclose()
        await response.stream.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(response.stream)
        await upstream.until(lambda: upstream.open == 0)
        assert client.open_connections == 0


async def test_a_stream_closed_at_its_middle(client):
    async with RawUpstream(sends_an_event) as upstream:
        response = await client.send(Request(origin=upstream.origin(), target=b"/"))
        assert await anext(response.stream) == b"a"
        await response.stream.aclose()
        await upstream.until(lambda: upstream.open == 0)


async def test_closing_a_stream_wakes_its_reader(client):
    async with RawUpstream(sends_no_event) as upstream:
        response = await client.send(Request(origin=upstream.origin(), target=b"/"))
        reader = asyncio.create_task(anext(response.stream, b"end"))
        await asyncio.sleep(0.02)
        with pytest.raises(RuntimeError):
            await anext(response.stream)
        await response.stream.aclose()
        assert await reader == b"end"


async def test_an_error_thrown_into_a_stream_closes_it(client):
    async with RawUpstream(sends_an_event) as upstream:
        response = await client.send(Request(origin=upstream.origin(), target=b"/"))
        assert await response.stream.asend(None) == b"a"
        with pytest.raises(Broken, match="thrown"):
            await response.stream.athrow(Broken("thrown"))
        await upstream.until(lambda: upstream.open == 0)


async def test_many_at_once_leave_nothing(limits):
    async def script(peer: Peer) -> None:
        while await peer.request():
            await asyncio.sleep(0.01 * (peer.number % 3))
            await peer.send(EVENTS + b"1\r\na\r\n", b"0\r\n\r\n", pause=0.005)

    async def call(client: HttpClient, upstream: RawUpstream, number: int) -> None:
        async with asyncio.timeout(0.002 * (number % 20)):
            response = await client.send(Request(origin=upstream.origin(), target=b"/"))
            try:
                async for _ in response.stream:
                    pass
            finally:
                await response.stream.aclose()

    async with RawUpstream(script) as upstream, HttpClient() as client:
        calls = [call(client, upstream, number) for number in range(300)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {type(None), TimeoutError}
        await asyncio.sleep(0.05)
        assert client.open_connections == client.idle_connections
        await upstream.until(lambda: upstream.open == client.open_connections)
        opened, closed = client.counters.connections_opened, client.counters.connections_closed
        assert opened - closed == client.open_connections
