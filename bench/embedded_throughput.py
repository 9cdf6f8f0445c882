"""How fast the model host answers, beside the engine's own HTTP server, on the same weights and the same machine.

Usage: python -m bench.embedded_throughput [--rounds N] [--calls N] [--tokens N] [--json FILE]

Two processes, each with the model loaded: the engine's server as its library starts it, and our HTTP server with
`EmbeddedHost` behind it. Both have the same threads (processors less one), slots (4) and context a slot (4,096); what
else they do is their own. One client asks both for the same completions, streamed and whole, one at a time and eight
at a time, in alternating order, round by round. A figure is tokens a second over a round, all callers together; the
ratio is ours to the engine's in the same round, and its median is what counts. Load and memory of each are told too.

The weights are the catalogue's; they are fetched where they are not there.
"""

import argparse
import asyncio
import contextlib
import http.client
import importlib
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forehearth.embedded.catalogue import source_of
from forehearth.embedded.host import HostLimits, open_host
from forehearth.embedded.package_client import find
from forehearth.embedded.weights import default_cache, ensure
from forehearth.http.server import HttpServer, Listener

MODEL = "smollm2-135m-instruct"
SLOTS = 4
CONTEXT = 4_096
CONCURRENT = (1, 8)
TARGET = 0.8
"""Of the engine's own server: below this the host costs too much."""

TOPICS = (
    "a lighthouse",
    "an old train",
    "the first snow",
    "a lost dog",
    "two brothers",
    "a garden",
    "the sea",
    "a map",
)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A server that answers on a port."""

    name: str
    port: int
    load_seconds: float
    process: "subprocess.Popen[str]"

    def memory(self) -> int:
        """Resident memory, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) // 1024


@contextlib.contextmanager
def started(name: str, weights: Path) -> Iterator[Stack]:
    """This script as a server of its own, ready to answer."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "bench.embedded_throughput", "--be", name, "--weights", str(weights)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline()) if process.stdout else 0
            ask(port, "Hi", tokens=1, stream=False)
            yield Stack(name=name, port=port, load_seconds=time.monotonic() - begun, process=process)
        finally:
            process.kill()


def ask(port: int, prompt: str, *, tokens: int, stream: bool) -> int:
    """Ask for a completion; return how many tokens it has, as the server counted them."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        body: dict[str, Any] = {
            "model": MODEL, "messages": [{"role": "user", "content": prompt}], "temperature": 0, "max_tokens": tokens,
        }  # fmt: skip
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise RuntimeError(f"status {response.status}: {response.read()!r}")
        return counted(response.read(), stream=stream)
    finally:
        connection.close()


def counted(body: bytes, *, stream: bool) -> int:
    """The completion tokens that the answer tells of."""
    if not stream:
        return int(json.loads(body)["usage"]["completion_tokens"])
    events = [line.removeprefix(b"data: ") for line in body.split(b"\n\n") if line.startswith(b"data: {")]
    return int(json.loads(events[-1])["usage"]["completion_tokens"])


def tokens_a_second(stack: Stack, concurrent: int, calls: int, tokens: int, *, stream: bool) -> float:
    """One measurement: `calls` completions by each of `concurrent` callers."""

    def one(at: int) -> int:
        prompt = f"Tell me a very long story about {TOPICS[at % len(TOPICS)]}, number {at}."
        return ask(stack.port, prompt, tokens=tokens, stream=stream)

    begun = time.monotonic()
    with ThreadPoolExecutor(concurrent) as callers:
        said = sum(callers.map(one, range(concurrent * calls)))
    return said / (time.monotonic() - begun)


def measure(stacks: list[Stack], rounds: int, calls: int, tokens: int) -> list[dict[str, Any]]:
    """Every kind of load on every stack, round by round; what came of it."""
    figures: dict[tuple[int, bool], dict[str, list[float]]] = {}
    for turn in range(rounds):
        for concurrent in CONCURRENT:
            for stream in (False, True):
                kept = figures.setdefault((concurrent, stream), {})
                for stack in stacks if turn % 2 == 0 else stacks[::-1]:
                    speed = tokens_a_second(stack, concurrent, calls, tokens, stream=stream)
                    kept.setdefault(stack.name, []).append(speed)
                    print(
                        f"round {turn + 1}: {stack.name}, {concurrent} at once, {stream=}: {speed:.1f}", file=sys.stderr
                    )
    rows = []
    for (concurrent, stream), kept in figures.items():
        ratios = [ours / own for ours, own in zip(kept["ours"], kept["engine"], strict=True)]
        rows.append({
            "concurrent": concurrent,
            "stream": stream,
            "engine": statistics.median(kept["engine"]),
            "ours": statistics.median(kept["ours"]),
            "ratio": statistics.median(ratios),
            "ratios": ratios,
        })  # fmt: skip
    return rows


def be_engine(weights: Path) -> None:
    """The engine's own server, on a port of its choice."""
    xllamacpp = importlib.import_module("xllamacpp")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights / "model.gguf")
    parameters.n_parallel = SLOTS
    parameters.n_ctx = SLOTS * CONTEXT
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = HostLimits().engine_threads()
    parameters.verbosity = -1
    server = xllamacpp.Server(parameters)
    print(server.listening_address.rpartition(":")[2], flush=True)
    sys.stdin.read()


async def be_ours(weights: Path) -> None:
    """Our HTTP server with the model host behind it."""
    listening = socket.create_server(("127.0.0.1", 0))
    async with open_host({MODEL: source_of(MODEL, weights)}, HostLimits(slots=SLOTS)) as host:
        await host.preload()
        print(listening.getsockname()[1], flush=True)
        await HttpServer(host, None).serve([Listener(socket=listening)], asyncio.Event())  # type: ignore[arg-type]  # no application behind the door


def main() -> int:
    """Measure and print; the status tells whether the target was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--calls", type=int, default=2, help="completions of each caller in a measurement")
    parser.add_argument("--tokens", type=int, default=96, help="the longest completion")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--be", choices=("engine", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.be == "engine":
        be_engine(options.weights)
        return 0
    if options.be == "ours":
        asyncio.run(be_ours(options.weights))
        return 0
    weights = asyncio.run(ensure(MODEL, default_cache(os.environ), lambda _: None, find(os.environ)))
    with started("engine", weights) as engine, started("ours", weights) as ours:
        stacks = [engine, ours]
        rows = measure(stacks, options.rounds, options.calls, options.tokens)
        costs = {stack.name: {"load_seconds": stack.load_seconds, "memory_mib": stack.memory()} for stack in stacks}
    print(f"tokens a second, median of {options.rounds} rounds\n")
    print("| calls at once | streamed | engine's own server | ours | median ratio |\n|---|---|---|---|---|")
    for row in rows:
        streamed = "yes" if row["stream"] else "no"
        print(f"| {row['concurrent']} | {streamed} | {row['engine']:.1f} | {row['ours']:.1f} | {row['ratio']:.2f} |")
    for name, cost in costs.items():
        print(f"\n{name}: first answer after {cost['load_seconds']:.1f} s, {cost['memory_mib']} MiB resident")
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "costs": costs}, indent=2))
    return 0 if all(row["ratio"] >= TARGET for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
