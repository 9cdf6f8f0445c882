"""The real parent process with toy children, and what tests do to it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PARENT = Path(__file__).parent / "toy_parent.py"
PATIENCE = 30.0


@dataclass(kw_only=True)
class ToyServer:
    """A running toy. `told` is what it printed until now."""

    process: subprocess.Popen[str]
    data: Path
    told: list[dict[str, Any]] = field(default_factory=list)

    @property
    def port(self) -> int:
        [ports] = [each["up"] for each in list(self.told) if "up" in each]
        return int(ports[0])

    @property
    def tls_port(self) -> int:
        [ports] = [each["up"] for each in list(self.told) if "up" in each]
        return int(ports[1])

    @property
    def error(self) -> str:
        [error] = [each["error"] for each in self.told if "error" in each]
        return str(error)

    @property
    def statuses(self) -> list[dict[str, Any]]:
        return [each["status"] for each in list(self.told) if "status" in each]

    def get(self, path: str, method: str = "GET", timeout: float = 20.0) -> tuple[int, bytes]:
        """One request on a connection of its own."""
        status, _, body = self.exchange(path, method, timeout)
        return status, body

    def exchange(self, path: str, method: str = "GET", timeout: float = 20.0) -> tuple[int, Mapping[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, dict(response.headers), response.read()
        finally:
            connection.close()

    def call_host(self, path: str = "/", timeout: float = 20.0) -> tuple[int, Mapping[str, str], bytes]:
        """One request to the model host's socket, as a worker would make it."""
        connection = http.client.HTTPConnection("localhost", timeout=timeout)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(timeout)
        try:
            connection.sock.connect(str(self.data / "run" / "embedded.sock"))
            connection.request("POST", path, body=b"{}")
            response = connection.getresponse()
            return response.status, dict(response.headers), response.read()
        finally:
            connection.close()

    def worker_pids(self) -> set[int]:
        """Asked until every worker has answered once in a row of many."""
        return {int(self.get("/pid")[1]) for _ in range(40)}

    def signal(self, number: signal.Signals) -> float:
        """Send it to the parent alone; return when."""
        self.process.send_signal(number)
        return time.monotonic()

    def ends(self, within: float = PATIENCE) -> int:
        return self.process.wait(within)


def children_of(pid: int) -> set[int]:
    """The processes whose parent is `pid`, by the system's own list."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            fields = stat.rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.add(int(entry.name))
    return found


def command_line(pid: int) -> bytes:
    """The process's command line; nothing where it is gone."""
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(happened: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """What `happened` returns once that is true; fails after the patience."""
    deadline = time.monotonic() + patience
    while not (result := happened()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return result


@contextmanager
def toy_server(
    data: Path, config: str = "version: 1\nserver: {port: 0, tls_port: null}\n", *options: str, wait: bool = True
) -> Iterator[ToyServer]:
    """Start one in a process group of its own; it is gone at the end, however the test goes."""
    process = subprocess.Popen(
        [sys.executable, "-P", str(PARENT), str(data), config, *options],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    server = ToyServer(process=process, data=data)

    def listen() -> None:
        assert process.stdout
        for line in process.stdout:
            server.told.append(json.loads(line))

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        if wait:
            eventually(lambda: any("up" in each for each in list(server.told)) or process.poll() is not None)
            assert process.poll() is None, f"it ended: {server.told}"
        yield server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        listener.join()
        if process.stdout:
            process.stdout.close()
