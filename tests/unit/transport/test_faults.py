"""Everything a host or the network can do wrong: the error it becomes, the connection closed, nothing kept."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from forehearth.core.errors import Broken, Failed, TimedOut, Unreachable
from forehearth.core.upstream import Origin, Request, Response, Timeouts
from forehearth.testing.fault_proxy import Fault, FaultProxy
from forehearth.testing.raw_upstream import Peer, RawUpstream
from forehearth.transport.client import HttpClient

TIMES = Timeouts(connect=0.2, first_byte=0.25, idle=0.2, total=5)
SHORT = Timeouts(first_byte=5, idle=5, total=0.3)
JSON = b"content-type: application/json\r\n"
EVENTS = b"content-type: text/event-stream\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"


async def call(client: HttpClient, origin: Origin, timeouts: Timeouts = TIMES) -> tuple[Response, bytes]:
    """The response and its whole body. Whatever goes wrong within a stream is raised as from a whole response."""
    response = await client.send(Request(origin=origin, target=b"/", body=b"{}", timeouts=timeouts))
    if response.stream is None:
        return response, response.body
    pieces = [piece async for piece in response.stream]
    return response, b"".join(pieces)


def ok(kind: bytes, fields: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + kind + fields + b"\r\n"


async def never_answers(peer: Peer, kind: bytes) -> None:
    await peer.hang()


async def answers_and_hangs(peer: Peer, kind: bytes) -> None:
    await peer.send(ok(kind, CHUNKED) + b"1\r\na\r\n")
    await peer.hang()


async def length_too_long_and_hangs(peer: Peer, kind: bytes) -> None:
    await peer.send(ok(kind, b"content-length: 5\r\n") + b"abc")
    await peer.hang()


async def drips_its_head(peer: Peer, kind: bytes) -> None:
    peer.fire("drip")
    await peer.send(*[bytes([byte]) for byte in ok(kind, b"x: " + b"y" * 100 + b"\r\n")], pause=0.02)
    await peer.closed()


async def drips_its_body(peer: Peer, kind: bytes) -> None:
    peer.fire("drip")
    await peer.send(ok(kind, CHUNKED), *[b"1\r\na\r\n"] * 100, pause=0.02)
    await peer.closed()


async def resets_at_once(peer: Peer, kind: bytes) -> None:
    peer.reset()


async def resets_in_its_head(peer: Peer, kind: bytes) -> None:
    await peer.send(ok(kind)[:-4])
    await asyncio.sleep(0.05)
    peer.reset()


async def resets_in_its_body(peer: Peer, kind: bytes) -> None:
    await peer.send(ok(kind, CHUNKED) + b"5\r\nhello\r\n5\r\nwo")
    await asyncio.sleep(0.05)
    peer.reset()


async def resets_a_body_without_length(peer: Peer, kind: bytes) -> None:
    await peer.send(ok(kind) + b"hello")
    await asyncio.sleep(0.05)
    peer.reset()


async def ends_at_once(peer: Peer, kind: bytes) -> None:
    peer.half_close()
    await peer.closed()


async def ends_in_a_chunk(peer: Peer, kind: bytes) -> None:
    await peer.send(ok(kind, CHUNKED) + b"5\r\nhel")
    peer.half_close()
    await peer.closed()


async def ends_between_chunks(peer: Peer, kind: bytes) -> None:
    await peer.send(ok(kind, CHUNKED) + b"5\r\nhello\r\n")
    peer.half_close()
    await peer.closed()


async def length_too_long(peer: Peer, kind: bytes) -> None:
    await peer.send(ok(kind, b"content-length: 5\r\n") + b"abc")
    peer.half_close()
    await peer.closed()


def sends(fault: str, *pieces: bytes, pause: float = 0.0) -> Callable[[Peer, bytes], Awaitable[None]]:
    """A host that sends the pieces, `KIND` replaced by its content type, and waits for the client to close."""

    async def script(peer: Peer, kind: bytes) -> None:
        peer.fire(fault)
        await peer.send(*[piece.replace(b"KIND\r\n", kind) for piece in pieces], pause=pause)
        await peer.closed()

    return script


HEAD = b"HTTP/1.1 200 OK\r\nKIND\r\n"
OLD = b"HTTP/1.0 200 OK\r\nKIND\r\n"
LENGTH = b"content-length: 3\r\n\r\n"
LINE = b"y" * 90_000
HINT = b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n"

FAULTS: dict[str, tuple[Callable[[Peer, bytes], Awaitable[None]], type[Failed], str]] = {
    "never answers": (never_answers, TimedOut, "first byte"),
    "head drips": (drips_its_head, TimedOut, "first byte"),
    "200, then hangs": (answers_and_hangs, TimedOut, "idle"),
    "length too long, then hangs": (length_too_long_and_hangs, TimedOut, "idle"),
    "body drips": (drips_its_body, TimedOut, "total"),
    "reset without an answer": (resets_at_once, Broken, ""),
    "reset in the head": (resets_in_its_head, Broken, ""),
    "reset in the body": (resets_in_its_body, Broken, ""),
    "reset in a body that ends by closing": (resets_a_body_without_length, Broken, ""),
    "closed without an answer": (ends_at_once, Broken, ""),
    "closed in a chunk": (ends_in_a_chunk, Broken, ""),
    "closed between chunks": (ends_between_chunks, Broken, ""),
    "length too long": (length_too_long, Broken, ""),
    "two lengths": (sends("lengths", HEAD + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd"), Broken, ""),
    "length and chunks": (sends("both", HEAD + CHUNKED + b"content-length: 3\r\n\r\n0\r\n\r\n"), Broken, ""),
    "bad chunk": (sends("chunk", HEAD + CHUNKED + b"\r\n5\r\nhello\r\nzz\r\n"), Broken, ""),
    "bad gzip": (
        sends("gzip", HEAD + b"content-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\xff\xff"),
        Broken,
        "",
    ),
    "10 MB of header": (sends("header", HEAD + b"x: " + b"y" * 10_000_000), Broken, ""),
    "10 MB of status line": (sends("status", b"HTTP/1.1 200 " + b"y" * 10_000_000), Broken, ""),
    "10 MB of trailer": (sends("trailer", HEAD + CHUNKED + b"\r\n0\r\nx: " + b"y" * 10_000_000), Broken, ""),
    "10 MB of chunk extension": (sends("extension", HEAD + CHUNKED + b"\r\n1;" + b"y" * 10_000_000), Broken, ""),
    "flood of 1xx": (sends("1xx", HINT * 1_000), Broken, ""),
    "101": (sends("101", b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nx"), Broken, ""),
    "garbage": (sends("garbage", b"\x00\xff\xfe garbage\r\n\r\n"), Broken, ""),
    "TLS where HTTP was asked for": (sends("tls", b"\x15\x03\x01\x00\x02\x02\x46"), Broken, ""),
    "not a status": (sends("status", b"HTTP/1.1 OK 200\r\n\r\n"), Broken, ""),
}


@pytest.mark.parametrize("kind", [JSON, EVENTS], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_what_a_host_does_wrong(client, fault, kind, caplog):
    script, expected, phase = FAULTS[fault]

    async def serve(peer: Peer) -> None:
        assert await peer.request()
        await script(peer, kind)

    with caplog.at_level("DEBUG", "forehearth.transport"):
        async with RawUpstream(serve) as upstream:
            with pytest.raises(expected) as caught:
                await call(client, upstream.origin(), SHORT if phase == "total" else TIMES)
            assert getattr(caught.value, "phase", "") == phase
            assert not caught.value.retry_elsewhere
            assert str(upstream.port) not in caught.value.message
            assert "127.0.0.1" not in caught.value.message
            assert "yyy" not in caught.value.message + caplog.text
            await upstream.until(lambda: upstream.open == 0)
            assert upstream.fired.total() > 0
            assert client.open_connections == client.idle_connections == 0
            assert client.counters.stale_retries == 0
            # And it harms nobody else: the next call gets a connection of its own.
            assert upstream.connections == 1


ODD: dict[str, tuple[Callable[[Peer, bytes], Awaitable[None]], Any, bool]] = {
    "length too short": (sends("short", HEAD + LENGTH + b"abcdef"), b"abc", False),
    "length too short, later": (sends("short", HEAD + LENGTH + b"abc", b"def", pause=0.05), b"abc", False),
    "two responses": (sends("two", (HEAD + LENGTH + b"abc") * 2), b"abc", False),
    "not UTF-8": (sends("bytes", HEAD + LENGTH + b"\xff\xfe\xfd"), b"\xff\xfe\xfd", True),
    "bytes beyond ASCII in a header": (sends("bytes", HEAD + b"x: \xff\r\ncontent-length: 1\r\n\r\na"), b"a", True),
    "a few 1xx": (sends("1xx", HINT * 3 + HEAD + b"content-length: 1\r\n\r\na"), b"a", True),
    "redirect": (sends("307", b"HTTP/1.1 307 X\r\nlocation: http://x/\r\ncontent-length: 1\r\n\r\na"), b"a", True),
    "one long line": (sends("line", HEAD + CHUNKED + b"\r\n15f90\r\n" + LINE + b"\r\n0\r\n\r\n"), LINE, True),
    "HTTP/1.0": (sends("1.0", OLD + LENGTH + b"abc"), b"abc", False),
    "HTTP/1.0, kept": (sends("1.0", OLD + b"connection: keep-alive\r\n" + LENGTH + b"abc"), b"abc", True),
    "connection: close": (sends("close", HEAD + b"connection: close\r\ncontent-length: 1\r\n\r\na"), b"a", False),
    "no content": (sends("204", b"HTTP/1.1 204 None\r\nKIND\r\n\r\n"), b"", True),
}


@pytest.mark.parametrize("kind", [JSON, EVENTS], ids=["whole", "stream"])
@pytest.mark.parametrize("oddity", ODD)
async def test_what_is_odd_but_an_answer(client, oddity, kind):
    script, body, kept = ODD[oddity]

    async def serve(peer: Peer) -> None:
        assert await peer.request()
        await script(peer, kind)

    async with RawUpstream(serve) as upstream:
        response, got = await call(client, upstream.origin())
        assert got == body
        assert response.status < 400
        if kept:
            assert (client.open_connections, client.idle_connections, upstream.open) == (1, 1, 1)
        else:
            await upstream.until(lambda: upstream.open == 0)
            assert client.open_connections == 0
        assert upstream.fired.total() == 1


@pytest.mark.parametrize("kind", [JSON, EVENTS], ids=["whole", "stream"])
async def test_a_body_that_ends_by_closing(client, kind):
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.0 200 OK\r\n" + kind + b"\r\nhello ", b"world", pause=0.05)

    async with RawUpstream(serve) as upstream:
        assert (await call(client, upstream.origin()))[1] == b"hello world"
        assert client.open_connections == 0


async def test_a_body_over_the_bound_is_broken_before_it_is_kept(client, limits):
    for framing in (b"content-length: 50000000\r\n", CHUNKED, b""):

        async def serve(peer: Peer, framing: bytes = framing) -> None:
            await peer.request()
            peer.fire("large")
            await peer.send(ok(JSON, framing))
            await peer.send(*[b"8000\r\n" + b"x" * 0x8000 + b"\r\n"] * 1_500)
            await peer.closed()

        async with RawUpstream(serve) as upstream:
            with pytest.raises(Broken):
                await call(client, upstream.origin(), Timeouts())
            await upstream.until(lambda: upstream.open == 0)
            assert client.open_connections == 0
            assert upstream.fired["large"] == 1


# The network between.


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


async def test_refused(client):
    with pytest.raises(Unreachable) as caught:
        await call(client, Origin(scheme="http", host="127.0.0.1", port=free_port()))
    assert caught.value.retry_elsewhere
    assert "127.0.0.1" not in caught.value.message
    assert (client.counters.connections_failed, client.open_connections) == (1, 0)


async def test_a_host_that_takes_no_connection(client):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        held = []
        for _ in range(4):  # fill its queue: what comes then is dropped without an answer
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            held.append(filler)
        await asyncio.sleep(0.05)
        with pytest.raises(TimedOut) as caught:
            await call(client, Origin(scheme="http", host="127.0.0.1", port=port))
        assert caught.value.phase == "connect"
        assert caught.value.retry_elsewhere
        for filler in held:
            filler.close()
    assert (client.counters.connections_failed, client.open_connections) == (1, 0)


async def test_a_host_that_takes_the_connection_and_never_reads(client):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(5)
        with pytest.raises(TimedOut) as caught:
            await call(client, Origin(scheme="http", host="127.0.0.1", port=deaf.getsockname()[1]))
        assert caught.value.phase == "first byte"
    assert client.open_connections == 0


@pytest.mark.parametrize("host", ["does-not-exist.invalid", "a" * 70 + ".example", "a..b"])
async def test_a_name_that_nobody_has(client, host):
    with pytest.raises(Unreachable) as caught:
        await call(client, Origin(scheme="http", host=host, port=80), Timeouts(connect=5))
    assert host not in caught.value.message
    assert (client.counters.connections_failed, client.open_connections) == (1, 0)


@pytest.mark.parametrize("kind", [JSON, EVENTS], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(kind="latency", seconds=0.05), None),
        (Fault(kind="drip", seconds=0.0, size=1), None),
        (Fault(kind="drip", seconds=0.08, size=60), "total"),
        (Fault(kind="hang", after=10), "first byte"),
        (Fault(kind="hang", after=150), "idle"),
        (Fault(kind="reset", after=0), Broken),
        (Fault(kind="reset", after=150), Broken),
        (Fault(kind="half_close", after=150), Broken),
        (Fault(kind="truncate", after=150), Broken),
        (Fault(kind="black_hole"), "first byte"),
    ],
    ids=lambda value: f"{value.kind}-{value.after}-{value.size}" if isinstance(value, Fault) else "",
)
async def test_a_network_that_does_harm(client, fault, expected, kind):
    body = b"".join(b"%x\r\n%b\r\n" % (90, b"z" * 90) for _ in range(10))

    async def serve(peer: Peer) -> None:
        while await peer.request():
            await peer.send(ok(kind, CHUNKED) + body + b"0\r\n\r\n")

    async with RawUpstream(serve) as upstream, FaultProxy(upstream.port, fault=fault) as proxy:
        origin = Origin(scheme="http", host="127.0.0.1", port=proxy.port)
        if expected is None:
            assert (await call(client, origin))[1] == b"z" * 900
            assert (await call(client, origin))[1] == b"z" * 900
            assert proxy.connections == 1
        else:
            with pytest.raises(Broken if expected is Broken else TimedOut) as caught:
                await call(client, origin, SHORT if expected == "total" else TIMES)
            assert getattr(caught.value, "phase", None) == (None if expected is Broken else expected)
            assert client.open_connections == 0
            await upstream.until(lambda: upstream.open == 0)
        assert proxy.fired[fault.kind] > 0
