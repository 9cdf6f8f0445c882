"""The mock upstream as a running thing: where it listens, and what it has counted."""

import contextlib
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import certificates, compiler, payloads
from bench.processes import Running, announced_ports, running


@dataclass(frozen=True)
class Upstream:
    """What gateways are pointed at."""

    started: Running
    port: int
    tls_port: int
    authority: Path

    @property
    def base_url(self) -> str:
        """The address as OpenAI's clients write it."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def tls_base_url(self) -> str:
        """The same over TLS; the certificate is checked against `authority`."""
        return f"https://localhost:{self.tls_port}/v1"

    def counted(self) -> dict[str, int]:
        """Connections and requests since the start."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/stats")
        counts: dict[str, int] = json.loads(connection.getresponse().read())
        connection.close()
        return counts


@contextlib.contextmanager
def upstream(work: Path, core: int, reply: bytes | None = None) -> Iterator[Upstream]:
    """Build, start and at the end stop the mock. Calls are answered with `reply`, unless given the usual one."""
    program = compiler.build("mock", work)
    folder = work / "mock"
    made = certificates.issue(folder)
    (folder / "call").write_bytes(reply or payloads.call_response())
    for stream in payloads.STREAMS:
        (folder / f"stream-{stream.name}").write_bytes(payloads.script(stream))
    scripts = [f"stream-{stream.name}" for stream in payloads.STREAMS]
    command = [str(program), "call", *scripts, str(made.chain), str(made.key)]
    with running(command, core=core, folder=folder, variables={}) as started:
        port, tls_port = announced_ports(started, patience=10)
        yield Upstream(started, port, tls_port, made.authority)
