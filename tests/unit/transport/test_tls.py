"""TLS to hosts: what is trusted, what is not, and what becomes of a handshake that does not end."""

import asyncio
import ssl

import pytest

from forehearth.core.errors import Broken, TimedOut, Unreachable
from forehearth.core.upstream import Origin, Request, Timeouts, TlsFiles
from forehearth.testing.certificates import Authority
from forehearth.testing.raw_upstream import Peer, RawUpstream
from forehearth.transport.client import HttpClient

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
HASTY = Timeouts(connect=0.5)
"""For hosts of which no handshake ends."""
IDLE = Timeouts(idle=0.4)


async def answering(peer: Peer) -> None:
    while await peer.request():
        await peer.send(OK)


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_host_that_the_bundle_vouches_for(client, authority, host):
    leaf = authority.issue("localhost", "127.0.0.1")
    async with RawUpstream(answering, tls=leaf.server_context()) as upstream:
        origin = upstream.origin(host=host, tls=TlsFiles(ca_bundle=authority.bundle))
        for _ in range(5):
            assert (await client.send(Request(origin=origin, target=b"/"))).body == b"ok"
        assert upstream.connections == 1
        assert b"host: %b:%d\r\n" % (host.encode(), upstream.port) in upstream.requests[0]


@pytest.mark.parametrize("case", ["other name", "other address", "expired", "unknown authority", "system authorities"])
async def test_a_host_that_is_not_who_it_should_be(client, authority, stranger, case):
    names = {"other name": ["other.example"], "other address": ["127.0.0.2"]}.get(case, ["localhost", "127.0.0.1"])
    signer = stranger if case == "unknown authority" else authority
    leaf = signer.issue(*names, expired=case == "expired")
    files = TlsFiles() if case == "system authorities" else TlsFiles(ca_bundle=authority.bundle)
    async with RawUpstream(answering, tls=leaf.server_context()) as upstream:
        host = "127.0.0.1" if case == "other address" else "localhost"
        with pytest.raises(Unreachable) as caught:
            await client.send(Request(origin=upstream.origin(host=host, tls=files), target=b"/"))
        assert caught.value.message == "No connection to the backend: its certificate is not accepted."
        assert upstream.requests == []
        assert (client.open_connections, client.counters.connections_failed) == (0, 1)


async def test_a_name_that_resolves_to_the_host_is_checked_as_the_name(authority, limits):
    leaf = authority.issue("*.host.example")
    async with RawUpstream(answering, tls=leaf.server_context()) as upstream:

        async def resolve(host, port):
            return [(2, ("127.0.0.1", upstream.port))]

        async with HttpClient(limits=limits, resolve=resolve) as client:
            files = TlsFiles(ca_bundle=authority.bundle)
            for host, fine in (("a.host.example", True), ("a.b.host.example", False), ("host.example", False)):
                request = Request(origin=Origin(scheme="https", host=host, tls=files), target=b"/")
                if fine:
                    assert (await client.send(request)).body == b"ok"
                else:
                    with pytest.raises(Unreachable):
                        await client.send(request)


async def test_a_client_certificate_is_shown(client, authority, stranger):
    leaf, ours = authority.issue("localhost"), stranger.issue("forehearth")
    context = leaf.server_context(client_ca=stranger.bundle)
    async with RawUpstream(answering, tls=context) as upstream:
        files = TlsFiles(ca_bundle=authority.bundle, certificate=ours.certificate, key=ours.key)
        origin = upstream.origin(host="localhost", tls=files)
        assert (await client.send(Request(origin=origin, target=b"/"))).body == b"ok"
        bare = upstream.origin(host="localhost", tls=TlsFiles(ca_bundle=authority.bundle))
        with pytest.raises((Broken, Unreachable)):  # TLS 1.3 hosts say so only after the handshake
            await client.send(Request(origin=bare, target=b"/"))
        assert len(upstream.requests) == 1
        assert client.open_connections == 1


@pytest.mark.parametrize("member", ["ca_bundle", "certificate", "key"])
async def test_files_that_cannot_be_used(client, authority, tmp_path, member):
    leaf = authority.issue("localhost")
    members = {"ca_bundle": authority.bundle, "certificate": leaf.certificate, "key": leaf.key}
    for content in (None, "", "not PEM"):
        path = tmp_path / f"{member}-{content}"
        if content is not None:
            path.write_text(content)
        files = TlsFiles(**(members | {member: str(path)}))
        with pytest.raises(Unreachable) as caught:
            await client.send(Request(origin=Origin(scheme="https", host="localhost", port=1, tls=files), target=b"/"))
        assert "TLS files" in caught.value.message
        assert str(tmp_path) not in caught.value.message


async def test_an_old_protocol_is_refused(client, authority):
    context = authority.issue("localhost").server_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with RawUpstream(answering, tls=context) as upstream:
        origin = upstream.origin(host="localhost", tls=TlsFiles(ca_bundle=authority.bundle))
        assert (await client.send(Request(origin=origin, target=b"/"))).body == b"ok"


async def stalls(peer: Peer) -> None:
    await peer.receive(1)
    await peer.hang()


async def is_plain(peer: Peer) -> None:
    await peer.receive(1)
    peer.fire("plain")
    await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await peer.closed()


async def resets(peer: Peer) -> None:
    await peer.receive(1)
    peer.reset()


async def ends(peer: Peer) -> None:
    await peer.receive(1)
    peer.fire("end")


@pytest.mark.parametrize(
    ("script", "expected"), [(stalls, TimedOut), (is_plain, Unreachable), (resets, Unreachable), (ends, Unreachable)]
)
async def test_a_handshake_that_comes_to_nothing(client, authority, script, expected):
    times = HASTY if expected is TimedOut else Timeouts()
    async with RawUpstream(script) as upstream:
        origin = Origin(scheme="https", host="127.0.0.1", port=upstream.port, tls=TlsFiles(ca_bundle=authority.bundle))
        with pytest.raises(expected) as caught:
            await client.send(Request(origin=origin, target=b"/", timeouts=times))
        assert caught.value.retry_elsewhere
        if expected is TimedOut:
            assert caught.value.phase == "connect"
        await upstream.until(lambda: upstream.open == 0)
        assert upstream.fired.total() == 1
        assert (client.open_connections, client.counters.connections_failed) == (0, 1)


@pytest.mark.parametrize("how", ["reset", "end", "cancel", "time"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_a_session_that_ends_within_an_answer(client, authority, how, streamed):
    async def script(peer: Peer) -> None:
        await peer.request()
        head = EVENTS if streamed else b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        await peer.send(head + b"1\r\na\r\n")
        peer.fire(how)
        await asyncio.sleep(0.05)
        if how == "reset":
            peer.reset()
        elif how != "end":
            await peer.closed()

    async def read() -> None:
        times = IDLE if how == "time" else Timeouts()
        response = await client.send(Request(origin=origin, target=b"/", timeouts=times))
        async for _ in response.stream or ():
            pass

    async with RawUpstream(script, tls=authority.issue("localhost").server_context()) as upstream:
        origin = upstream.origin(host="localhost", tls=TlsFiles(ca_bundle=authority.bundle))
        task = asyncio.create_task(read())
        await upstream.until(lambda: upstream.fired.total() > 0)
        if how == "cancel":
            task.cancel()
        with pytest.raises({"cancel": asyncio.CancelledError, "time": TimedOut}.get(how, Broken)):
            await task
        await upstream.until(lambda: upstream.open == 0)
        assert client.open_connections == 0


async def test_a_reader_that_is_behind_holds_the_host_through_tls(client, authority):
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(EVENTS)
        for _ in range(300):
            await peer.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            sent += 0x10000
        await peer.send(b"0\r\n\r\n")
        await peer.closed()

    async with RawUpstream(script, tls=authority.issue("localhost").server_context()) as upstream:
        origin = upstream.origin(host="localhost", tls=TlsFiles(ca_bundle=authority.bundle))
        response = await client.send(Request(origin=origin, target=b"/"))
        held = -1
        while held != sent:
            held = sent
            await asyncio.sleep(0.2)
        assert sent < 10 * 1024 * 1024
        assert sum([len(piece) async for piece in response.stream]) == 300 * 0x10000
