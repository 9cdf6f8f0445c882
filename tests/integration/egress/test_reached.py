"""What may be asked is reached, by the address that was judged; and what bounds hold its answers."""

import asyncio
import socket

import pytest

from forehearth.core.egress import EgressRequest
from forehearth.core.egress_settings import EgressSettings
from forehearth.core.errors import AddressFailed, AddressRefused
from forehearth.core.secret import Secret
from forehearth.core.upstream import Timeouts
from forehearth.egress import client as client_module
from forehearth.egress.client import GuardedClient
from forehearth.testing.certificates import Authority
from forehearth.testing.raw_upstream import RawUpstream
from tests.integration.egress.connects import Connects

EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


async def here(host, port):
    return [(socket.AF_INET, ("127.0.0.1", port))]


async def read_all(stream):
    return b"".join([piece async for piece in stream])


def allowing(port, host="open.example", **more):
    return EgressSettings(allow=(f"{host}:{port}",), **more)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "open.example", "tools.lan"])
async def test_an_allowed_host_is_reached(listener, host):
    resolve = None if host == "localhost" else here
    async with GuardedClient(allowing(listener.port, host), resolve=resolve) as client:
        answer = await client.send(EgressRequest(url=f"http://{host.upper()}:{listener.port}/a%2Fb?q=ü#f"))
        assert (answer.status, answer.body) == (200, b"ok")
    (head,) = listener.heads
    assert head.startswith(b"GET /a%%2Fb?q=%%C3%%BC HTTP/1.1\r\nhost: %b:%d\r\n" % (host.encode(), listener.port))
    assert b"user-agent: forehearth\r\n" in head


async def test_allowed_is_that_host_and_that_port_alone(listener, other):
    async with GuardedClient(allowing(listener.port), resolve=here) as client:
        for url in (
            f"http://open.example:{other.port}/",
            f"http://127.0.0.1:{listener.port}/",
            f"http://a.open.example:{listener.port}/",
            f"http://localhost:{listener.port}/",
        ):
            with pytest.raises(AddressRefused):
                await client.send(EgressRequest(url=url))
    assert (listener.connections, other.connections) == (0, 0)


async def test_what_is_connected_to_is_what_was_judged(listener):
    """A resolver whose answers change is asked once for each request, and its next answer is of no consequence."""
    answers = [["127.0.0.1"], ["127.0.0.2"], ["169.254.169.254"]]

    async def changing(host, port):
        return [(socket.AF_INET, (each, port)) for each in answers.pop(0)]

    with Connects() as connects:
        async with GuardedClient(allowing(listener.port), resolve=changing) as client:
            request = EgressRequest(url=f"http://open.example:{listener.port}/")
            await client.send(request)
            await client.send(request)
            with pytest.raises(AddressRefused) as caught:
                await client.send(request)
    assert caught.value.reason == "never"
    assert answers == []
    assert connects.where == [("127.0.0.1", listener.port), ("127.0.0.2", listener.port)]
    assert listener.connections == 2


async def test_the_name_is_in_sni_and_on_the_certificate(tmp_path):
    authority = Authority(tmp_path)
    names = []

    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    context = authority.issue("open.example").server_context()
    context.sni_callback = lambda _, name, __: names.append(name)
    async with RawUpstream(script, tls=context) as secure:
        settings = EgressSettings(
            allow=(f"open.example:{secure.port}", f"shut.example:{secure.port}"), ca_bundle=authority.bundle
        )
        async with GuardedClient(settings, resolve=here) as client:
            assert (await client.send(EgressRequest(url=f"https://open.example:{secure.port}/"))).body == b"ok"
            with pytest.raises(AddressFailed) as caught:
                await client.send(EgressRequest(url=f"https://shut.example:{secure.port}/", param="url"))
        assert len(secure.requests) == 1
    assert names == ["open.example", "shut.example"]
    assert (caught.value.reason, caught.value.param) == ("unreachable", "url")
    assert caught.value.message == "No connection to 'shut.example': its certificate is not accepted."


async def test_a_connection_carries_one_request():
    """Nothing of one caller is on the wire of another, and each request is judged by its own look-up."""

    async def keeping(peer):
        while await peer.request():
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async with RawUpstream(keeping) as host:
        async with GuardedClient(allowing(host.port), resolve=here) as client:
            for _ in range(3):
                await client.send(EgressRequest(url=f"http://open.example:{host.port}/"))
            assert client.connections_opened == 3
        assert (host.connections, len(host.requests)) == (3, 3)


async def test_proxies_of_the_environment_are_not_used(listener, other, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{other.port}")
    async with GuardedClient(allowing(listener.port), resolve=here) as client:
        await client.send(EgressRequest(url=f"http://open.example:{listener.port}/"))
    assert (listener.connections, other.connections) == (1, 0)


async def test_public_addresses_can_be_closed(listener):
    settings = EgressSettings(public=False, allow=(f"open.example:{listener.port}",))
    with Connects() as connects:
        async with GuardedClient(settings, resolve=here) as client:
            for url in ("http://93.184.216.34/", "http://www.example/", "https://[2606:4700::1111]/"):
                with pytest.raises(AddressRefused) as caught:
                    await client.send(EgressRequest(url=url))
                assert caught.value.reason == "closed"
            assert connects.where == []
            assert (await client.send(EgressRequest(url=f"http://open.example:{listener.port}/"))).status == 200


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n" + b"x" * 101,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n65\r\n" + b"x" * 101 + b"\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nx: " + b"x" * 40_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
async def test_an_answer_that_cannot_be_used(listener, answer):
    listener.answer = answer
    async with GuardedClient(allowing(listener.port), resolve=here) as client:
        with pytest.raises(AddressFailed) as caught:
            await client.send(EgressRequest(url=f"http://open.example:{listener.port}/", most_bytes=100, param="u"))
        assert client.busy == 0
    assert (caught.value.reason, caught.value.param) == ("unusable", "u")
    assert "'open.example'" in caught.value.message
    assert "backend" not in caught.value.message.lower()


async def test_an_answer_of_just_as_many_bytes_is_one(listener):
    listener.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n" + b"x" * 100
    async with GuardedClient(allowing(listener.port), resolve=here) as client:
        answer = await client.send(EgressRequest(url=f"http://open.example:{listener.port}/", most_bytes=100))
    assert len(answer.body) == 100


async def test_a_stream_ends_at_its_bound_and_gives_its_place_back(listener):
    listener.answer = EVENTS + b"data: x\n\n" * 20
    async with GuardedClient(allowing(listener.port), resolve=here) as client:
        answer = await client.send(EgressRequest(url=f"http://open.example:{listener.port}/", most_bytes=100))
        assert client.busy == 1
        with pytest.raises(AddressFailed) as caught:
            await read_all(answer.stream)
        assert caught.value.reason == "unusable"
        assert client.busy == 0
        request = EgressRequest(url=f"http://open.example:{listener.port}/", most_bytes=180)
        assert await read_all((await client.send(request)).stream) == b"data: x\n\n" * 20
        assert client.busy == 0
        answer = await client.send(request)
        assert client.busy == 1
        await answer.stream.aclose()
        await answer.stream.aclose()
        assert client.busy == 0


@pytest.mark.parametrize(
    ("sent", "phase"), [(b"", "begin to answer"), (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", "send more")]
)
async def test_times_are_kept(sent, phase):
    async def script(peer):
        await peer.request()
        await peer.send(sent)
        await peer.receive(1)

    async with RawUpstream(script) as slow, GuardedClient(allowing(slow.port), resolve=here) as client:
        times = Timeouts(connect=5, first_byte=0.1, idle=0.1, total=5)
        with pytest.raises(AddressFailed) as caught:
            await client.send(EgressRequest(url=f"http://open.example:{slow.port}/", timeouts=times))
    assert caught.value.reason == "timeout"
    assert f"'open.example' did not {phase}" in caught.value.message


async def test_a_slow_drip_ends_with_the_total_time():
    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n")
        while True:
            await peer.send(b"x")
            await asyncio.sleep(0.02)

    async with RawUpstream(script) as slow, GuardedClient(allowing(slow.port), resolve=here) as client:
        times = Timeouts(connect=5, first_byte=5, idle=5, total=0.3)
        with pytest.raises(AddressFailed) as caught:
            await client.send(EgressRequest(url=f"http://open.example:{slow.port}/", timeouts=times))
    assert caught.value.reason == "timeout"


async def test_a_name_that_is_never_resolved_ends_with_the_time_to_connect(listener):
    async def never(host, port):
        await asyncio.Event().wait()

    async with GuardedClient(allowing(listener.port), resolve=never) as client:
        with pytest.raises(AddressFailed) as caught:
            await client.send(
                EgressRequest(url=f"http://open.example:{listener.port}/", timeouts=Timeouts(connect=0.05))
            )
    assert caught.value.reason == "timeout"


async def test_a_name_that_does_not_exist_is_told_as_that():
    async def none(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "no")

    async with GuardedClient(EgressSettings(), resolve=none) as client:
        with pytest.raises(AddressFailed) as caught:
            await client.send(EgressRequest(url="http://no.example/"))
    assert caught.value.message == "No connection to 'no.example': its name cannot be resolved."


@pytest.mark.parametrize(
    "header",
    [
        (b"host", b"x"), (b"Host", b"x"), (b"content-length", b"5"), (b"transfer-encoding", b"chunked"),
        (b"connection", b"upgrade"), (b"proxy-authorization", b"x"), (b"a b", b"x"), (b"x", b"a\r\nb: c"),
        (b"x", b"a\x00"), (b"", b"x"), (b"x:y", b"z"), (b"upgrade", b"h2c"),
    ],
)  # fmt: skip
async def test_headers_that_are_not_the_callers(listener, header):
    async with GuardedClient(allowing(listener.port), resolve=here) as client:
        for request in (
            EgressRequest(url=f"http://open.example:{listener.port}/", headers=(header,)),
            EgressRequest(
                url=f"http://open.example:{listener.port}/", secrets=((header[0], Secret(header[1].decode())),)
            ),
        ):
            with pytest.raises(AddressRefused) as caught:
                await client.send(request)
            assert caught.value.reason == "header"
    assert listener.connections == 0


@pytest.mark.parametrize("headers", [[(b"x-%d" % n, b"") for n in range(64)], [(b"x", b"y" * 32_768)]])
async def test_headers_are_bounded(listener, headers):
    async with GuardedClient(allowing(listener.port), resolve=here) as client:
        with pytest.raises(AddressRefused) as caught:
            await client.send(EgressRequest(url=f"http://open.example:{listener.port}/", headers=headers))
    assert caught.value.reason == "header"
    assert listener.connections == 0


async def test_no_more_at_once_than_there_may_be(listener):
    listener.answer = EVENTS + b"data: x\n\n"
    async with GuardedClient(allowing(listener.port), resolve=here) as client:
        held = []
        request = EgressRequest(url=f"http://open.example:{listener.port}/")
        client._busy = client_module.MOST_AT_ONCE - 1
        held.append(await client.send(request))
        with pytest.raises(AddressFailed) as caught:
            await client.send(request)
        assert (caught.value.reason, caught.value.retry_after) == ("busy", 1.0)
        await held[0].stream.aclose()
        held.append(await client.send(request))
        await held[1].stream.aclose()


async def test_the_machines_resolver_is_asked_off_the_loop(listener):
    async with GuardedClient(allowing(listener.port, "localhost")) as client:
        assert (await client.send(EgressRequest(url=f"http://localhost:{listener.port}/"))).status == 200
