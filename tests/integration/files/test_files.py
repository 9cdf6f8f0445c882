"""Files on a real server: large ones in little memory, shared by workers, kept through `kill -9`, and gone for good."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from forehearth.core.place import Place
from forehearth.files.service import Orphans
from forehearth.stores.blob_directory import YOUNG_SECONDS, BlobDirectory
from forehearth.testing.clock import VirtualClock
from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer
from tests.integration.files.raw_upload import (
    FORM,
    HEAD,
    PIECE,
    TAIL,
    digest,
    download,
    moved,
    processes,
    upload,
)
from tests.integration.stores.opened import opened

CONFIG = """
version: 1
server: {workers: 2}
backends: {script: {provider: scripted}}
deployments: {chat: {backends: [{backend: script}]}}
"""
PIECES = 128
"""32 MiB, in pieces."""
ROOM = 24 * 1024 * 1024
"""Bytes that a server may hold more while a file passes through."""


@pytest.fixture(scope="module")
def server(start_module_forehearth: StartForehearth) -> ForehearthServer:
    return start_module_forehearth(CONFIG)


def ask(server: ForehearthServer, method: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, f"/openai/v1/files{path}", headers={"api-key": server.key})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def on_disk(server: ForehearthServer, *folders: str) -> list[Path]:
    blobs = server.data_dir / "blobs"
    return [each for folder in folders or ("",) for each in (blobs / folder).rglob("*") if each.is_file()]


def begun(server: ForehearthServer, *, more: bytes = b"") -> socket.socket:
    """A connection in the middle of an upload that promises more than it sends."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    head = (
        f"POST /openai/v1/files HTTP/1.1\r\nHost: x\r\napi-key: {server.key}\r\ncontent-type: {FORM}\r\n"
        "content-length: 100000000\r\n\r\n"
    )
    connection.sendall(head.encode() + HEAD + PIECE + more)
    return connection


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not become so"
        time.sleep(0.01)


def test_a_large_file_passes_through_in_little_memory(server: ForehearthServer) -> None:
    found = moved(server, PIECES)
    assert (found.status, found.same) == (200, True)
    assert found.most_up - found.at_rest < ROOM
    assert found.most_down - found.at_rest < ROOM


def test_workers_that_keep_and_delete_the_same_bytes_lose_none(server: ForehearthServer) -> None:
    """Each upload is of the same bytes, while others with them are deleted: what was answered is there."""

    def one(number: int) -> bool:
        status, file = upload(server, 3)
        assert status == 200, file
        whole = download(server, file["id"]) == digest(3)
        if number % 2:
            assert ask(server, "DELETE", f"/{file['id']}")[0] == 200
            return whole
        return whole and download(server, file["id"]) == digest(3)

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(one, range(60)))
    _, listed = ask(server, "GET", "?limit=10000")
    kept = [each for each in json.loads(listed)["data"] if each["bytes"] == 3 * len(PIECE)]
    assert len(kept) == 30
    assert all(download(server, each["id"]) == digest(3) for each in kept)
    for each in kept:
        assert ask(server, "DELETE", f"/{each['id']}")[0] == 200
    assert all(path.stat().st_size != 3 * len(PIECE) for path in on_disk(server, "names", "drafts"))


def test_a_client_that_leaves_in_the_middle_leaves_nothing(server: ForehearthServer) -> None:
    before = len(on_disk(server))
    with begun(server):
        until(lambda: on_disk(server, "drafts"))
    until(lambda: not on_disk(server, "drafts"))
    assert len(on_disk(server)) == before


def test_kill_9_in_the_middle_keeps_what_was_answered_and_no_more(
    start_forehearth: StartForehearth, tmp_path: Path
) -> None:
    kept: dict[str, str] = {}
    deleted: set[str] = set()
    for round_ in range(3):
        server = start_forehearth(CONFIG, folder=tmp_path)
        assert not on_disk(server, "drafts")
        for name, hashed in kept.items():
            assert download(server, name) == hashed
        pieces = 2 + round_
        with ThreadPoolExecutor(5) as threads, contextlib.ExitStack() as connections:
            going = [threads.submit(removed, server, name) for name in list(kept)[:3]]
            uploads = [threads.submit(answered, server, pieces) for _ in range(40)]
            connections.enter_context(begun(server))
            wait(going)
            until(lambda done=uploads: sum(each.done() for each in done) >= 6)
            for pid in reversed(processes(server)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            server.process.wait(30)
            names = [each.result() for each in uploads]
            deleted |= {each.result() for each in going}
        kept = {name: hashed for name, hashed in kept.items() if name not in deleted}
        kept |= {name: digest(pieces) for name in names if name}
        assert sum(name is not None for name in names) >= 6
        assert on_disk(server, "drafts")
    server = start_forehearth(CONFIG, folder=tmp_path)
    until(lambda: not on_disk(server, "drafts"))
    _, listed = ask(server, "GET", "")
    found = {each["id"]: each["bytes"] for each in json.loads(listed)["data"]}
    assert len(deleted) == 6
    assert not deleted & found.keys()
    assert kept.keys() <= found.keys()
    for name, size in found.items():  # whoever was not answered may have been heard: then it is whole
        assert download(server, name) == digest(size // len(PIECE))
    assert server.stop() == 0
    assert asyncio.run(swept_names(server)) == sorted(found)


async def swept_names(server: ForehearthServer) -> list[str]:
    """Whose bytes there are, once what nobody speaks of was removed."""

    class Later(VirtualClock):
        def unix(self) -> float:
            return time.time() + 2 * YOUNG_SECONDS

    async with opened(str(server.data_dir / "store.db")) as (documents, _):
        orphans = Orphans(documents, Later(), [Place(resource="forehearth")])
        await BlobDirectory(server.data_dir / "blobs", Later()).sweep(orphans.wanted)
    inodes = {each.stat().st_ino for each in on_disk(server, "names")}
    assert {each.stat().st_ino for each in on_disk(server)} == inodes
    return sorted(each.name.partition(".")[2] for each in on_disk(server, "names"))


def removed(server: ForehearthServer, name: str) -> str:
    """The id of a file whose removal was answered."""
    assert ask(server, "DELETE", f"/{name}")[0] == 200
    return name


def answered(server: ForehearthServer, pieces: int) -> str | None:
    """The id of a file whose upload was answered."""
    try:
        status, file = upload(server, pieces)
    except (OSError, http.client.HTTPException):
        return None
    return str(file["id"]) if status == 200 else None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_told_and_leaves_nothing_behind(start_forehearth: StartForehearth, small_disk: Path) -> None:
    with contextlib.closing(Stopped(start_forehearth(CONFIG, folder=small_disk))) as stopped:
        server = stopped.server
        status, small = upload(server, 4)
        assert status == 200
        for _ in range(3):
            status, said = upload(server, 60)
            assert (status, said["error"]["code"]) == (507, "InsufficientStorage")
            until(lambda: not on_disk(server, "drafts"))
        assert len(on_disk(server, "names")) == 1
        assert download(server, small["id"]) == digest(4)
        assert upload(server, 5)[0] == 200


class Stopped:
    """A server that ends before the disk that it is on does."""

    def __init__(self, server: ForehearthServer) -> None:
        self.server = server

    def close(self) -> None:
        self.server.stop()


def test_what_is_in_the_tail_of_a_body_is_read_with_it(server: ForehearthServer) -> None:
    with begun(server, more=TAIL + b"x") as connection:
        assert b" 400 " in connection.recv(1000)
