"""Thousands of clients that leave at every moment, and tens of thousands that stay: nothing may be left behind."""

import asyncio
import json

import aiohttp
import pytest

from tests.soak.length import part
from tests.soak.watching import metric, open_files, resident_mib

CONFIG = """
version: 1
backends:
  script:
    provider: scripted
    rules:
      - {when: {contains: slow}, answer: late, delay: 30}
      - {when: {contains: drip}, answer: a long answer that comes word by word, tokens_per_second: 5}
deployments:
  chat: {backends: [{backend: script}]}
"""
TIMES = part(1_000, least=100)
AT_ONCE = 100
CALLS = part(60_000, least=6_000)
PATH = "/openai/v1/chat/completions"


@pytest.fixture
def server(start_forehearth):
    return start_forehearth(CONFIG)


def request(key: str, content: str, *, stream: bool = False) -> bytes:
    body = json.dumps({"model": "chat", "stream": stream, "messages": [{"role": "user", "content": content}]}).encode()
    head = f"POST {PATH} HTTP/1.1\r\nhost: h\r\napi-key: {key}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def leave(port: int, sent: bytes, read: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    await writer.drain()
    if read:
        await reader.readexactly(read)
    writer.transport.abort()


PHASES = {
    "in the head": lambda key: (request(key, "x")[:60], 0),
    "in the body": lambda key: (request(key, "x" * 500)[:-100], 0),
    "before the answer": lambda key: (request(key, "slow"), 0),
    "within the stream": lambda key: (request(key, "drip", stream=True), 20),
}


@pytest.mark.parametrize("phase", PHASES)
async def test_a_thousand_that_leave(server, phase, record_property):
    sent, read = PHASES[phase](server.key)
    files = open_files(server.pid)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with gate:
            await leave(server.port, sent, read)

    await asyncio.gather(*(one() for _ in range(TIMES)))
    for _ in range(40):
        await asyncio.sleep(0.05)
        if metric(server.url, "forehearth_in_flight") == 0 and open_files(server.pid) <= files + 2:
            break
    record_property("clients that left", TIMES)
    record_property("calls still in flight after 2 s", int(metric(server.url, "forehearth_in_flight")))
    record_property("open files more than before", open_files(server.pid) - files)
    assert metric(server.url, "forehearth_in_flight") == 0
    assert open_files(server.pid) <= files + 2


async def test_memory_is_flat(server, record_property):
    body = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}
    sizes = []
    async with aiohttp.ClientSession(headers={"api-key": server.key}) as session:

        async def some(count: int) -> None:
            for _ in range(count):
                async with session.post(server.url + PATH, json=body) as answer:
                    assert answer.status == 200
                    await answer.read()

        for _ in range(6):
            await asyncio.gather(*(some(CALLS // 6 // 32) for _ in range(32)))
            sizes.append(resident_mib(server.pid))
    growth = (sizes[-1] - sizes[1]) / (CALLS * 4 / 6) * 100_000
    record_property("calls", CALLS // 6 // 32 * 32 * 6)
    record_property("MiB of all processes at the end", round(sizes[-1], 1))
    record_property("MiB more per 100,000 calls, after the first third", round(growth, 2))
    assert growth <= 3
