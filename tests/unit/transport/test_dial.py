"""Names, addresses and proxies: which is tried when, and what is left open when nobody waits any more (nothing)."""

import asyncio
import socket
import time

import pytest

from forehearth.core.errors import Misconfigured, TimedOut, Unreachable
from forehearth.core.upstream import Origin, Request, Timeouts, TlsFiles
from forehearth.testing.raw_upstream import Peer, RawUpstream
from forehearth.transport.addresses import Resolver, connect_first
from forehearth.transport.client import HttpClient

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
BUFFER = 65_536


async def answering(peer: Peer) -> None:
    while await peer.request():
        await peer.send(OK)


def v4(port: int, host: str = "127.0.0.1"):
    return socket.AF_INET, (host, port)


def v6(port: int):
    return socket.AF_INET6, ("::1", port, 0, 0)


@pytest.fixture
def refusing():
    """An address that refuses."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield v4(bound.getsockname()[1])


@pytest.fixture
def silent():
    """An address that never answers: its queue is full."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        time.sleep(0.02)
        yield v4(full.getsockname()[1])
        for filler in fillers:
            filler.close()


async def test_addresses_come_with_the_families_in_turn():
    four, six = [v4(n) for n in range(3)], [v6(n) for n in range(2)]

    async def resolve(host, port):
        return {"six": [*six, *four], "four": [*four, *six], "only": four}.get(host, [])

    resolver = Resolver(resolve)
    assert await resolver.addresses("six", 1) == [six[0], four[0], six[1], four[1], four[2]]
    assert await resolver.addresses("four", 1) == [four[0], six[0], four[1], six[1], four[2]]
    assert await resolver.addresses("only", 1) == four
    assert await resolver.addresses("10.1.2.3", 7) == [(socket.AF_INET, ("10.1.2.3", 7))]
    assert await resolver.addresses("::1", 7) == [(socket.AF_INET6, ("::1", 7, 0, 0))]
    with pytest.raises(OSError):
        await resolver.addresses("none", 1)


async def test_a_name_is_looked_up_once_for_all_who_ask_together_and_anew_later():
    asked = []
    gate = asyncio.Event()

    async def resolve(host, port):
        asked.append(host)
        await gate.wait()
        return [v4(port)]

    resolver = Resolver(resolve)
    calls = [asyncio.create_task(resolver.addresses("h", 1)) for _ in range(5)]
    await asyncio.sleep(0)
    calls[0].cancel()
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*calls[1:]) == [[v4(1)]] * 4
    assert calls[0].cancelled()
    assert asked == ["h"]
    await resolver.addresses("h", 1)
    assert asked == ["h", "h"]


async def test_a_refusal_brings_the_next_address_at_once(refusing):
    async with RawUpstream(answering) as upstream:
        began = time.monotonic()
        connected = await connect_first([refusing, refusing, v4(upstream.port)], BUFFER, 30.0)
        assert time.monotonic() - began < 5
        assert connected.getpeername()[1] == upstream.port
        connected.close()


async def test_silence_brings_the_next_address_after_a_moment(silent):
    async with RawUpstream(answering) as upstream:
        connected = await connect_first([silent, v4(upstream.port)], BUFFER, 0.05)
        assert connected.getpeername()[1] == upstream.port
        connected.close()


async def test_of_two_that_connect_the_second_is_closed():
    async def script(peer: Peer) -> None:
        await peer.closed()

    async with RawUpstream(script) as one, RawUpstream(script) as two:
        for _ in range(20):
            connected = await connect_first([v4(one.port), v4(two.port)], BUFFER, 0.0)
            connected.close()
        await asyncio.sleep(0.05)
        await one.until(lambda: one.open == 0)
        await two.until(lambda: two.open == 0)


async def test_what_the_kernel_takes_in_is_bounded():
    async with RawUpstream(answering) as upstream:
        connected = await connect_first([v4(upstream.port)], 20_000, 1.0)
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) <= 40_000  # Linux doubles what is asked for
        connected.close()


async def test_when_no_address_connects(refusing):
    with pytest.raises(ConnectionRefusedError):
        await connect_first([refusing, refusing], BUFFER, 0.05)
    with pytest.raises(ConnectionRefusedError):
        await connect_first([refusing], BUFFER, 0.05)


async def test_leaving_while_addresses_are_tried(silent):
    call = asyncio.create_task(connect_first([silent, silent, silent], BUFFER, 0.01))
    await asyncio.sleep(0.1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1


async def test_a_host_whose_first_address_is_dead_is_reached(limits, refusing, silent):
    async with RawUpstream(answering) as upstream:
        for dead in (refusing, silent, v6(refusing[1][1])):

            async def resolve(host, port, dead=dead):
                return [dead, v4(upstream.port)]

            async with HttpClient(limits=limits, resolve=resolve) as client:
                request = Request(origin=Origin(scheme="http", host="host.example"), target=b"/")
                assert (await client.send(request)).body == b"ok"


async def test_a_resolver_that_hangs_is_a_slow_connect(limits):
    async def resolve(host, port):
        await asyncio.Event().wait()

    async with HttpClient(limits=limits, resolve=resolve) as client:
        request = Request(
            origin=Origin(scheme="http", host="host.example"), target=b"/", timeouts=Timeouts(connect=0.1)
        )
        with pytest.raises(TimedOut) as caught:
            await client.send(request)
        assert caught.value.phase == "connect"
        with pytest.raises(TimedOut) as caught:
            await client.send(Request(origin=request.origin, target=b"/", timeouts=Timeouts(connect=5, total=0.1)))
        assert caught.value.phase == "total"
        assert not caught.value.retry_elsewhere


# Proxies.


async def forwarding(peer: Peer) -> None:
    """A proxy: tunnels on CONNECT, answers everything else itself."""
    while request := await peer.request():
        if not request.startswith(b"CONNECT "):
            await peer.send(OK)
            continue
        host, port = request.split(b" ")[1].rsplit(b":", 1)
        reader, writer = await asyncio.open_connection(host.decode(), int(port))
        await peer.send(b"HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n")

        async def back(reader=reader) -> None:
            while data := await reader.read(65_536):
                await peer.send(data)

        returning = asyncio.create_task(back())
        try:
            while data := await peer.receive(65_536):
                writer.write(data)
        finally:
            returning.cancel()
            writer.close()
            await asyncio.gather(returning, return_exceptions=True)


async def test_https_goes_through_a_tunnel_and_is_still_checked(client, authority):
    tls = authority.issue("localhost").server_context()
    async with RawUpstream(forwarding) as proxy, RawUpstream(answering, tls=tls) as upstream:
        files = TlsFiles(ca_bundle=authority.bundle)
        through = f"http://user:p%40ss@127.0.0.1:{proxy.port}"
        origin = upstream.origin(host="localhost", tls=files, proxy=through)
        for _ in range(3):
            assert (await client.send(Request(origin=origin, target=b"/"))).body == b"ok"
        target = b"localhost:%d" % upstream.port
        assert proxy.requests == [
            b"CONNECT %b HTTP/1.1\r\nhost: %b\r\nproxy-authorization: Basic dXNlcjpwQHNz\r\n\r\n" % (target, target)
        ]
        assert upstream.connections == 1
        assert b"proxy-authorization" not in upstream.requests[0]
        assert upstream.requests[0].startswith(b"POST / HTTP/1.1\r\n")
        wrong = upstream.origin(host="127.0.0.1", tls=files, proxy=through)
        with pytest.raises(Unreachable):
            await client.send(Request(origin=wrong, target=b"/"))


async def test_http_goes_in_absolute_form(client):
    async with RawUpstream(forwarding) as proxy:
        origin = Origin(scheme="http", host="host.example", port=81, proxy=f"http://u:p@127.0.0.1:{proxy.port}")
        for _ in range(2):
            assert (await client.send(Request(origin=origin, target=b"/a?b=c"))).body == b"ok"
        assert proxy.connections == 1
        assert proxy.requests[0].startswith(b"POST http://host.example:81/a?b=c HTTP/1.1\r\nhost: host.example:81\r\n")
        assert b"proxy-authorization: Basic dTpw\r\n" in proxy.requests[0]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nearly bytes",
        b"HTTP/1.1 200 OK\r\n\r\nearly\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 5_000,
        b"garbage\r\n\r\n",
        b"",
        b"HTTP/1.1 200",
    ],
)
async def test_a_proxy_that_opens_no_tunnel(client, authority, answer):
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.fire("no tunnel")
        await peer.send(answer)
        peer.half_close()
        await peer.closed()

    async with RawUpstream(script) as proxy:
        origin = Origin(
            scheme="https",
            host="host.example",
            tls=TlsFiles(ca_bundle=authority.bundle),
            proxy=f"http://user:hunter2@127.0.0.1:{proxy.port}",
        )
        with pytest.raises(Unreachable) as caught:
            await client.send(Request(origin=origin, target=b"/"))
        assert caught.value.message == "No connection to the backend: the proxy did not open a tunnel."
        assert "hunter2" not in repr(caught.value.__cause__)
        await proxy.until(lambda: proxy.open == 0)
        assert proxy.fired["no tunnel"] == 1
        assert client.open_connections == 0


async def test_a_proxy_that_hangs_or_cannot_be_reached(client, refusing):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.hang()

    async with RawUpstream(script) as proxy:
        origin = Origin(scheme="https", host="host.example", proxy=f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(TimedOut) as caught:
            await client.send(Request(origin=origin, target=b"/", timeouts=Timeouts(connect=0.2)))
        assert caught.value.phase == "connect"
        await proxy.until(lambda: proxy.open == 0)
    for scheme in ("http", "https"):
        origin = Origin(scheme=scheme, host="host.example", proxy=f"http://127.0.0.1:{refusing[1][1]}")
        with pytest.raises(Unreachable):
            await client.send(Request(origin=origin, target=b"/"))


async def test_a_proxy_address_that_is_none(client):
    with pytest.raises(Misconfigured):
        await client.send(Request(origin=Origin(scheme="http", host="h", proxy="socks5://u:hunter2@p:1"), target=b"/"))
