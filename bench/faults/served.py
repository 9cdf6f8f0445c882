"""The server under test and the stub hosts behind it, each a process of its own."""

import asyncio
import contextlib
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec

from bench.errors import FailedError
from bench.processes import free_port, resident_bytes
from bench.stacks.base import fresh_key

PATIENCE = 30.0


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A running server."""

    port: int
    key: str
    pid: int

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def request(self, body: bytes, *, path: str = "/openai/v1/chat/completions", key: str = "") -> bytes:
        """A request to it, as bytes; with the development key, where no other is given."""
        head = (
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\nauthorization: Bearer {key or self.key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(child) for child in children]

    def rss_bytes(self) -> int:
        """Resident memory of all its processes."""
        return sum(resident_bytes(pid) for pid in [self.pid, *self.workers()])

    def descriptors(self) -> int:
        """Open files of all its workers."""
        return sum(_files(pid) for pid in self.workers())


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A stub host that runs as a program of its own."""

    port: int
    pid: int
    files: int
    """Open files when nobody was connected."""

    def connections(self) -> int:
        """How many connections it has, as the kernel knows it."""
        return _files(self.pid) - self.files


@contextlib.asynccontextmanager
async def program(module: str) -> AsyncIterator[Program]:
    """A module that serves on loopback and prints its port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None  # noqa: S101 - asked for a line above
        port = int(await process.stdout.readline())
        yield Program(port=port, pid=process.pid, files=_files(process.pid))
    finally:
        process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def forehearth(
    configuration: str, folder: Path, variables: Mapping[str, str] | None = None
) -> AsyncIterator[Served]:
    """The checkout's server with a configuration, on a free port."""
    port, key = free_port(), fresh_key()
    _write(folder, configuration)
    program = Path(sys.executable).with_name("forehearth")
    with (folder / "output.log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(str(program), "serve", "--config", "forehearth.yaml", "--data-dir", str(folder / "data")),
            *("--port", str(port)),
            cwd=folder,
            env={**os.environ, **(variables or {}), "FOREHEARTH_API_KEY": key},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        await _until_ready(process, port, folder)
        yield Served(port=port, key=key, pid=process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), PATIENCE)
        except TimeoutError:
            process.kill()
            await process.wait()


def _write(folder: Path, configuration: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "forehearth.yaml").write_text(configuration)


async def _until_ready(process: asyncio.subprocess.Process, port: int, folder: Path) -> None:
    async with asyncio.timeout(PATIENCE):
        while process.returncode is None:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(_ask, port)
                return
            await asyncio.sleep(0.05)
    raise FailedError(f"the server ended at its start: {(folder / 'output.log').read_text()[-400:]}")


def _ask(port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2) as answer:
        answer.read()


def _files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
