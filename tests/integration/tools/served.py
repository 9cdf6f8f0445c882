"""Servers that others wrote, each started as a process of its own on a free port."""

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_RUNNING = re.compile(r"running on http://127\.0\.0\.1:([0-9]+)")
TIME = """
import sys
from mcp_server_time.server import create_server
create_server("UTC").run(
    transport="streamable-http", host="127.0.0.1", port=0,
    json_response="json" in sys.argv, stateless_http="stateless" in sys.argv,
)
"""


@contextmanager
def running(*command: str) -> Iterator[int]:
    """The port of a server that says where it listens, as uvicorn does. The interpreter is that of the tests."""
    with subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            said = []
            found = None
            while found is None:
                line = process.stderr.readline()
                said.append(line)
                assert line, f"it ended: {''.join(said)}"
                found = _RUNNING.search(line)
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield int(found[1])
        finally:
            process.terminate()
            process.wait()


@contextmanager
def glances(folder: Path) -> Iterator[int]:
    """The port of Glances, the system monitor, a published service with an OpenAPI document of its own."""
    empty = folder / "glances.conf"
    empty.write_text("[outputs]\n")
    command = ["-m", "glances", "-w", "-B", "127.0.0.1", "-p", str(free_port()), "--disable-webui", "-C", str(empty)]
    with running(*command, "--disable-check-update", "--disable-autodiscover") as found:
        yield found


def free_port() -> int:
    """A port that nobody has now, for servers that cannot choose one."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]
