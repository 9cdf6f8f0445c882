"""Two uploads of 400 MB of pictures at once, on to a host that reads them as they come: what the server holds."""

import asyncio
import http.client
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from forehearth.testing.raw_upstream import Peer, RawUpstream
from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer
from tests.integration.files.raw_upload import FORM, PIECE, resident, watched

PICTURES, PIECES = 8, 200
"""Of each upload: eight of 50 MiB."""
AT_ONCE = 2
ROOM = 40 * 1024 * 1024
MEGABYTE = 1024 * 1024
CONFIG = """
version: 1
backends: {{there: {{provider: openai_compatible, base_url: "{url}/v1"}}}}
deployments: {{paints: {{model: {{type: image_generation}}, backends: [{{backend: there}}]}}}}
"""
ANSWER = b'{"created":1,"data":[]}'
_FIELD = b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
_PICTURE = b'--b\r\nContent-Disposition: form-data; name="image[]"; filename="a.png"\r\n\r\n'
_TAIL = b"--b--\r\n"


def body() -> Iterator[bytes]:
    """An upload."""
    yield _FIELD % (b"prompt", b"all of them") + _FIELD % (b"model", b"paints")
    for _ in range(PICTURES):
        yield _PICTURE
        for _ in range(PIECES):
            yield PIECE
        yield b"\r\n"
    yield _TAIL


@contextmanager
def reading_host(taken: list[int]) -> Iterator[str]:
    """The address of a host that keeps nothing of what it reads but how much it was."""
    address: list[str] = []
    ready, over = threading.Event(), threading.Event()

    async def serve(peer: Peer) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = await peer.receive(65_536)
            if not piece:
                return
            head += piece
        found = re.search(rb"content-length: (\d+)", head)
        assert found is not None
        left = length = int(found[1])
        left -= len(head.partition(b"\r\n\r\n")[2])
        while left:
            left -= len(await peer.receive(left))
        taken.append(length)
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 23\r\n\r\n" + ANSWER)

    async def run() -> None:
        async with RawUpstream(serve) as upstream:
            address.append(f"http://127.0.0.1:{upstream.origin().port}")
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert ready.wait(10)
        yield address[0]
    finally:
        over.set()
        thread.join()


def upload(server: ForehearthServer) -> tuple[int, bytes]:
    """Status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    headers = {"api-key": server.key, "content-type": FORM, "content-length": str(sum(map(len, body())))}
    try:
        connection.request("POST", "/openai/v1/images/edits", body(), headers)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def test_pictures_pass_through_in_flat_memory(
    start_forehearth: StartForehearth, record_property: Callable[[str, object], None]
) -> None:
    taken: list[int] = []
    with reading_host(taken) as url, ThreadPoolExecutor(AT_ONCE) as clients:
        server = start_forehearth(CONFIG.format(url=url), environment={"NO_PROXY": "127.0.0.1"})
        at_rest = resident(server)
        with watched(server) as most:
            replies = list(clients.map(upload, [server] * AT_ONCE))
    for name, size in (("at rest", at_rest), ("at the most", most[0])):
        record_property(f"MiB in memory, {name}", round(size / MEGABYTE, 1))
        print(f"MiB in memory, {name}: {size / MEGABYTE:.1f}")  # noqa: T201 - the figures are what the test is for
    assert replies == [(200, ANSWER)] * AT_ONCE
    assert taken == [sum(map(len, body()))] * AT_ONCE
    assert most[0] - at_rest < ROOM
