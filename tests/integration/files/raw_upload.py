"""A client that moves files without holding more than a piece, and what a server's processes hold meanwhile."""

import hashlib
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.forehearth_server import ForehearthServer

PIECE = bytes(range(256)) * 1024
"""256 KiB."""
HEAD = (
    b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="large.bin"\r\n\r\n'
)
TAIL = b"\r\n--b--\r\n"
FORM = "multipart/form-data; boundary=b"


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What a file of some pieces did to the server."""

    status: int
    at_rest: int
    """Bytes in memory before, over all its processes."""
    most_up: int
    """The same at the most, while it was uploaded."""
    most_down: int
    """The same while it was downloaded."""
    same: bool
    """Whether what came back is what was sent."""


def body(pieces: int) -> Iterator[bytes]:
    """An upload, each piece with its number in front, so that none is like another."""
    yield HEAD
    for number in range(pieces):
        yield b"%08d" % number + PIECE[8:]
    yield TAIL


def digest(pieces: int) -> str:
    """What the file of these pieces hashes to."""
    hashed = hashlib.sha256()
    for number in range(pieces):
        hashed.update(b"%08d" % number + PIECE[8:])
    return hashed.hexdigest()


def upload(server: ForehearthServer, pieces: int) -> tuple[int, Any]:
    """Status and JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    length = len(HEAD) + pieces * len(PIECE) + len(TAIL)
    headers = {"api-key": server.key, "content-type": FORM, "content-length": str(length)}
    try:
        connection.request("POST", "/openai/v1/files", body(pieces), headers)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


def download(server: ForehearthServer, name: str) -> str:
    """What the file's bytes hash to."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    hashed = hashlib.sha256()
    try:
        connection.request("GET", f"/openai/v1/files/{name}/content", headers={"api-key": server.key})
        reply = connection.getresponse()
        while piece := reply.read(1 << 18):
            hashed.update(piece)
    finally:
        connection.close()
    return hashed.hexdigest()


def processes(server: ForehearthServer) -> list[int]:
    """The server's process and all that it started."""
    found, new = [], [server.pid]
    while new:
        pid = new.pop()
        found.append(pid)
        tasks = Path(f"/proc/{pid}/task")
        new += [int(each) for task in tasks.iterdir() for each in (task / "children").read_text().split()]
    return found


def resident(server: ForehearthServer) -> int:
    """Bytes in memory, over all its processes."""
    lines = [line for pid in processes(server) for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


@contextmanager
def watched(server: ForehearthServer) -> Iterator[list[int]]:
    """The most that it held so far, looked at fifty times a second."""
    most, over = [resident(server)], threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            most[0] = max(most[0], resident(server))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def moved(server: ForehearthServer, pieces: int) -> Moved:
    """Upload and download a file of so many pieces."""
    upload(server, 1)  # so that what is loaded at first use is loaded
    at_rest = resident(server)
    with watched(server) as up:
        status, file = upload(server, pieces)
    with watched(server) as down:
        hashed = download(server, file["id"])
    return Moved(status=status, at_rest=at_rest, most_up=up[0], most_down=down[0], same=hashed == digest(pieces))
