"""The fake model host: what it answers, what it records, and that it is a decent HTTP/1.1 server."""

import asyncio
import ssl

import aiohttp
import pytest
from openai import AsyncOpenAI, RateLimitError

from forehearth.providers.scripted import ScriptedSettings
from forehearth.providers.scripted_rules import Rule
from forehearth.testing import Answer, Seen, Upstream, VirtualClock
from forehearth.testing.certificates import Authority

MESSAGES = [{"role": "user", "content": "hello there"}]


async def exchange(upstream: Upstream, sent: bytes) -> bytes:
    """All that comes back for these bytes, until the host closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.origin.port)
    try:
        writer.write(sent)
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_an_official_client_talks_to_it_and_everything_is_on_record():
    async with Upstream() as upstream, AsyncOpenAI(base_url=f"{upstream.url}/v1", api_key="k", max_retries=0) as client:
        upstream.answers.append(Answer(status=429, headers=((b"retry-after", b"1"),), body=b'{"error":{"code":"x"}}'))
        with pytest.raises(RateLimitError) as refused:
            await client.chat.completions.create(model="m", messages=MESSAGES)
        assert refused.value.response.headers["retry-after"] == "1"
        answer = await client.chat.completions.create(model="m", messages=MESSAGES)
        assert answer.choices[0].message.content == "hello there"
    assert [(seen.method, seen.target) for seen in upstream.requests] == [(b"POST", b"/v1/chat/completions")] * 2
    seen = upstream.requests[0]
    assert seen.header(b"authorization") == b"Bearer k"
    assert seen.header(b"x-nothing") is None
    assert b'"hello there"' in seen.body
    assert (len(upstream.connections), upstream.connections[0].requests) == (1, 2)


async def test_pieces_are_sent_one_by_one_with_pauses():
    clock = VirtualClock()
    async with Upstream(clock=clock, sleep=clock.sleep) as upstream, aiohttp.ClientSession() as session:
        upstream.answers.append(Answer(pieces=(b"data: 1\n\n", b"", 5.0, b"data: 2\n\n"), delay=2))
        task = asyncio.create_task(session.get(upstream.url))
        await upstream.until(lambda: clock.sleepers == 1)
        await clock.advance(2)
        response = await task
        assert response.headers["content-type"] == "text/event-stream"
        assert await response.content.readany() == b"data: 1\n\n"
        await upstream.until(lambda: clock.sleepers == 1)
        await clock.advance(5)
        assert await response.read() == b"data: 2\n\n"
    assert upstream.connections[0].written > 18


async def test_it_notices_a_client_that_leaves_in_a_stream():
    async with Upstream(ScriptedSettings(tokens_per_second=0.001)) as upstream:
        async with AsyncOpenAI(base_url=f"{upstream.url}/v1", api_key="k") as client:
            stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
            assert (await anext(aiter(stream))).choices[0].delta.role == "assistant"
            assert upstream.open == 1
            await stream.close()
            await upstream.until(lambda: upstream.open == 0)
        (connection,) = upstream.connections
        assert connection.closed >= connection.opened


@pytest.mark.parametrize(
    ("answer", "closes"), [(Answer(close=True), True), (Answer(), False), (Answer(pieces=(b"x",), close=True), True)]
)
async def test_connections_are_kept_unless_the_answer_says_otherwise(answer, closes):
    async with Upstream(respond=lambda _: answer) as upstream, aiohttp.ClientSession() as session:
        for _ in range(3):
            async with session.get(upstream.url) as response:
                await response.read()
        assert len(upstream.connections) == (3 if closes else 1)
        assert [seen.connection for seen in upstream.requests] == ([0, 1, 2] if closes else [0, 0, 0])


async def test_a_client_may_ask_for_the_end():
    async with Upstream(respond=lambda _: Answer(body=b"{}")) as upstream:
        raw = await exchange(upstream, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [b"HTTP/1.1 200 OK", b"content-type: application/json", b"content-length: 2"]
    assert body == b"{}"


async def test_bodies_come_in_lengths_and_in_chunks_and_requests_in_a_row():
    def respond(seen: Seen) -> Answer:
        return Answer(body=seen.body, close=seen.target == b"/last")

    async with Upstream(respond=respond) as upstream:
        raw = await exchange(
            upstream,
            b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc"
            b"POST /last HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n",
        )
    assert [seen.body for seen in upstream.requests] == [b"abc", b"def"]
    assert raw.index(b"abc") < raw.index(b"def")
    assert len(upstream.connections) == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.0\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nspace : y\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\nx",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\nx",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nxx\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxyz",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\nxyz",
    ],
)
async def test_what_is_no_request_is_refused_and_noted(sent):
    async with Upstream() as upstream:
        raw = await exchange(upstream, sent)
        assert raw.startswith(b"HTTP/1.1 400 ")
        assert upstream.connections[0].malformed is not None
        assert upstream.requests == []


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (Answer(reset=True), None),
        (Answer(pieces=(b"data: 1\n\n",), reset=True), None),
        (None, Rule(fault="reset")),
        (None, Rule(fault="unreachable")),
        (None, Rule(fault="reset_mid_stream")),
    ],
)
async def test_connections_are_reset_on_demand(answer, rule):
    settings = ScriptedSettings(rules=(rule,) if rule else ())

    async def call(session: aiohttp.ClientSession, url: str) -> None:
        body = {"model": "m", "messages": MESSAGES, "stream": True}
        async with session.post(f"{url}/v1/chat/completions", json=body) as response:
            await response.read()

    async with Upstream(settings, respond=lambda _: answer) as upstream, aiohttp.ClientSession() as session:
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await call(session, upstream.url)
        await upstream.until(lambda: upstream.open == 0)


async def test_a_reset_is_a_reset_and_not_a_goodbye():
    async with Upstream(respond=lambda _: Answer(reset=True)) as upstream:
        with pytest.raises(ConnectionResetError):
            await exchange(upstream, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")


async def test_what_a_test_raises_while_answering_comes_out_at_the_end():
    def respond(_: Seen) -> Answer:
        raise LookupError("a mistake in the test")

    async def call() -> None:
        async with Upstream(respond=respond) as upstream:
            with pytest.raises(ConnectionError):
                await exchange(upstream, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")

    with pytest.raises(LookupError, match="mistake"):
        await call()


async def test_a_reader_that_stops_makes_it_stop_too():
    flood = (b"x" * 100_000,) * 400
    async with Upstream(respond=lambda _: Answer(pieces=flood, close=True)) as upstream:
        reader, writer = await asyncio.open_connection("127.0.0.1", upstream.origin.port, limit=1_000)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.2)
        assert upstream.connections[0].written < 20_000_000
        rest = await reader.read()
        assert rest.count(b"x") == 40_000_000
        assert upstream.connections[0].written > 40_000_000
        writer.close()


async def test_over_a_unix_socket(tmp_path):
    async with Upstream(socket=str(tmp_path / "s")) as upstream:
        assert upstream.origin.socket == str(tmp_path / "s")
        connector = aiohttp.UnixConnector(path=upstream.origin.socket)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post("http://localhost/v1/embeddings", json={"input": "x"}) as response,
        ):
            assert (await response.json())["object"] == "list"


async def test_over_tls(tmp_path):
    authority = Authority(tmp_path)
    trusting = ssl.create_default_context(cafile=authority.bundle)
    serving = authority.issue("127.0.0.1").server_context()
    async with Upstream(tls=serving) as upstream, aiohttp.ClientSession() as session:
        assert upstream.url.startswith("https://127.0.0.1:")
        async with session.get(upstream.url, ssl=trusting) as response:
            assert response.status == 404
        assert upstream.open == 1


async def test_waiting_for_what_never_happens_ends():
    async with Upstream() as upstream:
        with pytest.raises(TimeoutError):
            await upstream.until(lambda: False, within=0.01)
