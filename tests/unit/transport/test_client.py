"""The client over real sockets: connections kept and bounded, streams held back, sent twice in one case only."""

import asyncio
import gc
import socket

import pytest

from forehearth.core.errors import Broken, Misconfigured, Overloaded, TimedOut, Unreachable
from forehearth.core.upstream import Origin, Request, Timeouts
from forehearth.testing.clock import VirtualClock
from forehearth.testing.raw_upstream import Peer, RawUpstream
from forehearth.transport.client import HttpClient
from forehearth.transport.limits import ClientLimits

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def ask(upstream: RawUpstream, **members) -> Request:
    members.setdefault("target", b"/v1/chat/completions")
    return Request(origin=upstream.origin(), **members)


async def answering(peer: Peer) -> None:
    while await peer.request():
        await peer.send(OK)


async def streaming(peer: Peer) -> None:
    while await peer.request():
        await peer.send(EVENTS, chunk(b"data: 1\n\n"), chunk(b"data: 2\n\n"), LAST, pause=0.01)


async def test_connections_are_reused_and_counted(client):
    async with RawUpstream(answering) as upstream:
        for _ in range(50):
            response = await client.send(ask(upstream, body=b"{}"))
            assert (response.status, response.body, response.stream) == (200, b"ok", None)
        assert upstream.connections == 1
        assert len(upstream.requests) == 50
        assert (client.counters.connections_opened, client.counters.reused, client.counters.requests) == (1, 49, 50)
        assert (client.open_connections, client.idle_connections) == (1, 1)


async def test_streams_give_their_connection_back_at_their_end(client):
    async with RawUpstream(streaming) as upstream:
        for _ in range(5):
            response = await client.send(ask(upstream))
            assert response.body == b""
            assert b"".join([piece async for piece in response.stream]) == b"data: 1\n\ndata: 2\n\n"
            await response.stream.aclose()
        assert upstream.connections == 1
        assert client.idle_connections == 1


async def test_a_stream_ends_for_the_pool_when_it_has_come_not_when_it_was_read(client):
    async with RawUpstream(streaming) as upstream:
        response = await client.send(ask(upstream))
        await asyncio.sleep(0.1)
        assert client.idle_connections == 1
        other = await client.send(ask(upstream))
        assert b"".join([piece async for piece in response.stream]) == b"data: 1\n\ndata: 2\n\n"
        assert b"".join([piece async for piece in other.stream]) == b"data: 1\n\ndata: 2\n\n"
        assert upstream.connections == 1


async def test_pieces_come_as_they_arrive_and_those_that_wait_come_joined(client):
    more = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(EVENTS)
        await more.wait()
        await peer.send(chunk(b"a") + chunk(b"b") + chunk(b"c"))
        more.clear()
        await more.wait()
        await peer.send(chunk(b"d") + LAST)
        await peer.closed()

    async with RawUpstream(script) as upstream:
        response = await client.send(ask(upstream))  # at its head, before any piece
        more.set()
        assert await anext(response.stream) == b"abc"
        more.set()
        assert await anext(response.stream) == b"d"
        with pytest.raises(StopAsyncIteration):
            await anext(response.stream)


async def test_a_reader_that_is_behind_holds_the_host(client):
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(EVENTS)
        for _ in range(400):
            await peer.send(chunk(b"x" * 65_536))
            sent += 65_536
        await peer.send(LAST)
        await peer.closed()

    async with RawUpstream(script) as upstream:
        response = await client.send(ask(upstream))
        held = -1
        while held != sent:  # until the host can send no more
            held = sent
            await asyncio.sleep(0.2)
        assert sent < 10 * 1024 * 1024
        total = 0
        async for piece in response.stream:
            assert len(piece) <= 1024 * 1024
            total += len(piece)
        assert total == 400 * 65_536
        assert client.idle_connections == 1


async def test_a_unix_socket(client, tmp_path):
    async with RawUpstream(answering, path=str(tmp_path / "s")) as upstream:
        for _ in range(3):
            assert (await client.send(ask(upstream))).body == b"ok"
        assert upstream.connections == 1
    with pytest.raises(Unreachable):
        await client.send(Request(origin=Origin(scheme="http", host="x", socket=str(tmp_path / "none")), target=b"/"))


async def test_ipv6(client):
    async with RawUpstream(answering, host="::1") as upstream:
        for host in ("::1", "[::1]"):
            assert (await client.send(Request(origin=upstream.origin(host=host), target=b"/"))).body == b"ok"
        assert b"host: [::1]:%d\r\n" % upstream.port in upstream.requests[0]


async def test_redirects_and_errors_are_responses(client):
    async def script(peer: Peer) -> None:
        while request := await peer.request():
            status = request[6:9]
            await peer.send(b"HTTP/1.1 %b X\r\nlocation: http://other/\r\ncontent-length: 1\r\n\r\n!" % status)

    async with RawUpstream(script) as upstream:
        for status in (301, 302, 307, 308, 400, 401, 429, 500, 503, 529):
            response = await client.send(ask(upstream, target=b"/%d" % status))
            assert (response.status, response.body) == (status, b"!")
        assert upstream.connections == 1


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3_000_000])
async def test_bodies_of_any_size_arrive_whole(client, size):
    async def script(peer: Peer) -> None:
        while request := await peer.request():
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%d" % (len(str(len(request))), len(request)))

    async with RawUpstream(script) as upstream:
        body = bytes(range(256)) * (size // 256 + 1)
        response = await client.send(ask(upstream, body=body[:size]))
        assert upstream.requests[0].endswith(b"\r\n\r\n" + body[:size])
        assert response.body == b"%d" % len(upstream.requests[0])


async def test_a_header_with_a_line_break_is_refused_before_a_connection_is_made(client):
    async with RawUpstream(answering) as upstream:
        with pytest.raises(Misconfigured):
            await client.send(ask(upstream, headers=((b"x", b"a\r\nb: c"),)))
        with pytest.raises(Misconfigured):
            await client.send(ask(upstream, target=b"/ HTTP/1.1\r\n\r\n"))
        assert (upstream.connections, client.counters.connections_opened) == (0, 0)


# The bound on connections.


async def test_who_finds_no_connection_waits_for_one_and_nobody_overtakes(client):
    gate = asyncio.Event()
    order = []

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            order.append(request.split(b" ")[1])
            await gate.wait()
            await peer.send(OK)

    async with RawUpstream(script) as upstream:
        calls = [asyncio.create_task(client.send(ask(upstream, target=b"/%d" % n))) for n in range(6)]
        await upstream.until(lambda: len(order) == 4)
        with pytest.raises(Overloaded) as caught:
            await client.send(ask(upstream))
        assert caught.value.retry_elsewhere
        gate.set()
        assert [(await call).body for call in calls] == [b"ok"] * 6
        assert order[4:] == [b"/4", b"/5"]
        assert upstream.connections == 4
        assert (client.counters.waited, client.counters.turned_away) == (2, 1)


async def test_who_waits_too_long_is_turned_away(client):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.closed()

    async with RawUpstream(script) as upstream:
        calls = [asyncio.create_task(client.send(ask(upstream))) for _ in range(4)]
        await upstream.until(lambda: len(upstream.requests) == 4)
        with pytest.raises(Overloaded):
            await client.send(ask(upstream, timeouts=Timeouts(connect=0.1)))
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await upstream.until(lambda: upstream.open == 0)


async def test_a_place_that_frees_without_a_connection_is_dialled_again(client):
    async def script(peer: Peer) -> None:
        while await peer.request():
            await asyncio.sleep(0.05)
            await peer.send(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")

    async with RawUpstream(script) as upstream:
        responses = await asyncio.gather(*[client.send(ask(upstream)) for _ in range(6)])
        assert [response.body for response in responses] == [b"ok"] * 6
        assert upstream.connections == 6
        assert client.open_connections == 0


async def test_leaving_the_queue_leaves_the_place_to_the_next(client):
    gate = asyncio.Event()

    async def script(peer: Peer) -> None:
        while await peer.request():
            await gate.wait()
            await peer.send(OK)

    async with RawUpstream(script) as upstream:
        calls = [asyncio.create_task(client.send(ask(upstream))) for _ in range(6)]
        await upstream.until(lambda: len(upstream.requests) == 4)
        gate.set()
        calls[4].cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(results[4], asyncio.CancelledError)
        assert results[5].body == b"ok"
        # Cancelled in the same turn of the loop in which a connection was handed over: it goes back.
        gate.clear()
        calls = [asyncio.create_task(client.send(ask(upstream))) for _ in range(6)]
        await upstream.until(lambda: len(upstream.requests) == 9)
        gate.set()
        await asyncio.wait(calls[:4], return_when=asyncio.FIRST_COMPLETED)
        calls[4].cancel()
        calls[5].cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert (await client.send(ask(upstream))).body == b"ok"
        assert client.open_connections == client.idle_connections <= 4


async def test_leave_to_dial_that_comes_too_late_passes_on(client):
    """Two wait; the first is given a place and cancelled in the same turn, so the second must get it."""

    async def script(peer: Peer) -> None:
        request = await peer.request()
        if b"/wait" in request:
            await peer.send(OK)
        await peer.closed()

    async with RawUpstream(script) as upstream:
        busy = [asyncio.create_task(client.send(ask(upstream))) for _ in range(4)]
        await upstream.until(lambda: len(upstream.requests) == 4)
        waiting = [asyncio.create_task(client.send(ask(upstream, target=b"/wait"))) for _ in range(2)]
        await asyncio.sleep(0)
        pool = next(iter(client._pools.values()))
        assert len(pool._waiting) == 2
        busy[0].cancel()
        while len(pool._waiting) == 2:  # noqa: ASYNC110 - the very turn is meant
            await asyncio.sleep(0)
        waiting[0].cancel()
        assert (await asyncio.wait_for(waiting[1], 2)).body == b"ok"
        assert waiting[0].cancelled()
        for call in busy:
            call.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
        assert pool._reserved == 0


async def test_a_dial_that_fails_leaves_its_place_to_who_waits(limits):
    gate = asyncio.Event()

    async def resolve(host, port):
        await gate.wait()
        raise OSError("nobody knows it")

    async with HttpClient(limits=limits, resolve=resolve) as client:
        request = Request(origin=Origin(scheme="http", host="host.example"), target=b"/")
        calls = [asyncio.create_task(client.send(request)) for _ in range(6)]
        await asyncio.sleep(0.02)
        assert client.counters.waited == 2
        gate.set()
        outcomes = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 2)
        assert {type(outcome) for outcome in outcomes} == {Unreachable}
        assert client.counters.connections_failed == 6


async def test_a_connection_that_comes_too_late_goes_back(client):
    """It is handed to who waits, who was cancelled in the same turn: it is kept, not lost."""
    gate = asyncio.Event()

    async def script(peer: Peer) -> None:
        while await peer.request():
            await gate.wait()
            await peer.send(OK)

    async with RawUpstream(script) as upstream:
        busy = [asyncio.create_task(client.send(ask(upstream))) for _ in range(4)]
        await upstream.until(lambda: len(upstream.requests) == 4)
        waiting = asyncio.create_task(client.send(ask(upstream)))
        await asyncio.sleep(0)
        pool = next(iter(client._pools.values()))
        gate.set()
        while pool._waiting:  # noqa: ASYNC110 - the very turn is meant
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(*busy, waiting, return_exceptions=True)
        assert waiting.cancelled()
        assert (client.open_connections, client.idle_connections) == (4, 4)


async def test_a_connection_that_is_closed_as_it_is_handed_over_is_not_used(client):
    gate = asyncio.Event()

    async def script(peer: Peer) -> None:
        while await peer.request():
            await gate.wait()
            await peer.send(OK)

    async with RawUpstream(script) as upstream:
        busy = [asyncio.create_task(client.send(ask(upstream))) for _ in range(4)]
        await upstream.until(lambda: len(upstream.requests) == 4)
        waiting = asyncio.create_task(client.send(ask(upstream)))
        await asyncio.sleep(0)
        pool = next(iter(client._pools.values()))
        waiter, _ = pool._waiting[0]
        gate.set()
        while not waiter.done():  # noqa: ASYNC110 - the very turn is meant
            await asyncio.sleep(0)
        waiter.result().abort()
        assert (await asyncio.wait_for(waiting, 2)).body == b"ok"
        await asyncio.gather(*busy)
        assert client.counters.stale_retries == 0


# How long connections are kept.


async def eventually(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.02)


async def test_unused_connections_are_closed_after_a_while(limits):
    clock = VirtualClock()
    async with RawUpstream(answering) as upstream, HttpClient(limits=limits, clock=clock) as client:
        await asyncio.gather(*[client.send(ask(upstream)) for _ in range(3)])
        assert client.open_connections == 3
        await clock.advance(20)
        await client.send(ask(upstream))
        await clock.advance(20)
        await eventually(lambda: client.open_connections == 1)
        await clock.advance(20)
        await eventually(lambda: client.open_connections == 0)
        await upstream.until(lambda: upstream.open == 0)
        await eventually(lambda: not client._pools and client._sweeping is None)
        assert (await client.send(ask(upstream))).body == b"ok"


async def test_old_connections_are_replaced_so_that_a_changed_name_is_noticed(limits):
    clock = VirtualClock()
    asked = []

    async def resolve(host, port):
        asked.append(host)
        return [(socket.AF_INET, ("127.0.0.1", upstream.port))]

    async with RawUpstream(answering) as upstream, HttpClient(limits=limits, clock=clock, resolve=resolve) as client:
        request = Request(origin=Origin(scheme="http", host="host.example", port=1), target=b"/")
        for _ in range(30):
            await client.send(request)
            await clock.advance(15)
        assert asked == ["host.example"] * 2
        assert upstream.connections == 2


async def test_a_connection_the_host_closes_is_forgotten(client):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)

    async with RawUpstream(script) as upstream:
        await client.send(ask(upstream))
        await eventually(lambda: client.open_connections == 0)
        await client.send(ask(upstream))
        assert upstream.connections == 2
        assert client.counters.stale_retries == 0


async def test_a_kept_connection_on_which_the_host_speaks_is_closed(client):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK, b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n", pause=0.05)
        await peer.closed()

    async with RawUpstream(script) as upstream:
        await client.send(ask(upstream))
        await upstream.until(lambda: upstream.open == 0)
        assert client.open_connections == 0
        assert (await client.send(ask(upstream))).body == b"ok"
        assert upstream.connections == 2


# Sent twice in one case only.


@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_a_stale_connection_is_replaced_once(client, how):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if peer.number == 0:
            await peer.request()
            if how == "reset":
                peer.reset()
            return
        await peer.closed()

    async with RawUpstream(script) as upstream:
        await client.send(ask(upstream))
        assert (await client.send(ask(upstream, body=b"second"))).body == b"ok"
        assert upstream.connections == 2
        assert client.counters.stale_retries == 1
        assert [request.endswith(b"second") for request in upstream.requests] == [False, True, True]


async def test_the_second_try_is_on_a_new_connection_not_on_another_that_was_kept(client):
    async def script(peer: Peer) -> None:
        await peer.request()
        await asyncio.sleep(0.02)
        await peer.send(OK)
        await peer.request()
        if peer.number == 2:
            await peer.send(OK)

    async with RawUpstream(script) as upstream:
        await asyncio.gather(client.send(ask(upstream)), client.send(ask(upstream)))
        assert client.idle_connections == 2
        assert (await client.send(ask(upstream))).body == b"ok"
        assert (upstream.connections, client.counters.stale_retries) == (3, 1)


async def test_a_new_connection_that_closes_is_not_tried_again(client):
    async def script(peer: Peer) -> None:
        await peer.request()

    async with RawUpstream(script) as upstream:
        with pytest.raises(Broken):
            await client.send(ask(upstream))
        assert (upstream.connections, len(upstream.requests)) == (1, 1)
        assert client.counters.stale_retries == 0


async def test_a_second_stale_connection_is_an_error(client):
    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 0:
            await peer.send(OK)
            await peer.request()

    async with RawUpstream(script) as upstream:
        await client.send(ask(upstream))
        with pytest.raises(Broken):
            await client.send(ask(upstream))
        assert (upstream.connections, client.counters.stale_retries) == (2, 1)


@pytest.mark.parametrize("sent", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", OK[:-1]])
async def test_nothing_is_sent_again_after_a_byte_came_back(client, sent):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.send(sent)

    async with RawUpstream(script) as upstream:
        await client.send(ask(upstream))
        with pytest.raises(Broken):
            await client.send(ask(upstream))
        assert (upstream.connections, len(upstream.requests)) == (1, 2)
        assert client.counters.stale_retries == 0


# The end.


async def test_closing_ends_everything(limits):
    async def script(peer: Peer) -> None:
        request = await peer.request()
        if b"/stream" in request:
            await peer.send(EVENTS)
        elif b"/kept" in request:
            await peer.send(OK)
        await peer.closed()

    async with RawUpstream(script) as upstream:
        client = HttpClient(limits=limits)
        async with client:
            stream = (await client.send(ask(upstream, target=b"/stream"))).stream
            calls = [asyncio.create_task(client.send(ask(upstream))) for _ in range(4)]
            await upstream.until(lambda: len(upstream.requests) == 4)
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(result) for result in results} == {Unreachable}
        with pytest.raises(Unreachable):
            await anext(stream)
        await upstream.until(lambda: upstream.open == 0)
        assert client.open_connections == 0
        with pytest.raises(Unreachable):
            await client.send(ask(upstream))


async def test_closing_ends_what_is_dialled(limits):
    async def resolve(host, port):
        await asyncio.Event().wait()

    client = HttpClient(limits=limits, resolve=resolve)
    async with client:
        call = asyncio.create_task(client.send(Request(origin=Origin(scheme="http", host="h", port=1), target=b"/")))
        await asyncio.sleep(0.05)
    with pytest.raises(Unreachable):
        await asyncio.wait_for(call, 1)


async def test_a_client_that_was_not_entered_sends_nothing():
    with pytest.raises(Unreachable):
        await HttpClient().send(Request(origin=Origin(scheme="http", host="h", port=1), target=b"/"))


async def test_another_scheme_is_not_ours(client):
    with pytest.raises(Unreachable):
        await client.send(Request(origin=Origin(scheme="scripted", host="h", port=1), target=b"/"))


async def test_a_call_costs_no_task_and_leaves_nothing_behind(client):
    async with RawUpstream(answering) as upstream:
        request = ask(upstream, body=b"{}")
        for _ in range(100):
            await client.send(request)
        tasks = len(asyncio.all_tasks())
        gc.collect()
        objects = len(gc.get_objects())
        for _ in range(1_000):
            await client.send(request)
        gc.collect()
        assert len(gc.get_objects()) - objects < 500
        assert len(asyncio.all_tasks()) == tasks


async def test_the_whole_call_is_bounded(client):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(EVENTS)
        await peer.send(*[chunk(b"x")] * 100, pause=0.05)

    async with RawUpstream(script) as upstream:
        response = await client.send(ask(upstream, timeouts=Timeouts(total=0.4)))
        got = b""

        async def read() -> None:
            nonlocal got
            async for piece in response.stream:
                got += piece

        with pytest.raises(TimedOut) as caught:
            await read()
        assert caught.value.phase == "total"
        assert got.count(b"x") == len(got) > 0
        await upstream.until(lambda: upstream.open == 0)
        assert client.counters.timed_out == 1


async def test_limits_have_working_defaults():
    async with RawUpstream(answering) as upstream, HttpClient() as client:
        assert (await client.send(ask(upstream))).body == b"ok"
    assert ClientLimits().body_bytes == 64 * 1024 * 1024
