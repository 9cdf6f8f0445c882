"""The hosts of `tests.soak.faults` on loopback ports of their own, run by a thread of their own."""

import json
import random
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Self

from forehearth.testing.fault_proxy import Fault as Harm
from forehearth.testing.fault_proxy import FaultProxy
from forehearth.testing.raw_upstream import Peer, RawUpstream
from tests.soak.faults import FAULTS, LATE, STALLED, STREAM, WHOLE, Play, says

IMPATIENT = {"connect_seconds": 1, "first_byte_seconds": 1, "idle_seconds": 1, "total_seconds": 2}
"""How the gateway waits for hosts that keep it waiting."""
PATIENT = {"connect_seconds": 20, "first_byte_seconds": 20, "idle_seconds": 20, "total_seconds": 20}
"""How it waits for those that have other faults: a machine with other work adds none to them."""
FORGIVING = {"failures": 1_000_000, "obey_seconds": 0}
"""A host is asked however often it failed, or asked to be left alone: it is its faults that are looked at here."""
GOOD_PLAY = says(WHOLE, stream=(STREAM,))
HARMS = ("latency", "drip", "hang", "reset", "half_close", "truncate", "black_hole")
MILD = tuple(name for name, fault in FAULTS.items() if fault.play and "drip" not in name and "megabytes" not in name)
"""Faults that a storm is made of: not those that take long by themselves."""


def script_of(name: str, play: Play) -> Callable[[Peer], Awaitable[None]]:
    async def script(peer: Peer) -> None:
        while request := await peer.request():
            peer.fire(name)
            if not await play(peer, b'"stream": true' in request):
                return

    return script


async def tls_stall(peer: Peer) -> None:
    peer.fire("tls-stall")
    await peer.closed()


class FaultyHosts:
    """A host for each fault, one without, and one behind a proxy that does something else each time."""

    def __init__(self, seed: int = 0) -> None:
        self.urls: dict[str, str] = {}
        self.hosts: dict[str, RawUpstream] = {}
        self._dice = random.Random(seed)
        self._stack = AsyncExitStack()

    @property
    def storm(self) -> FaultProxy:
        """The proxy before the host that does something else each time."""
        return self._storm

    async def __aenter__(self) -> Self:
        for name, fault in FAULTS.items():
            if fault.play is not None:
                await self._open(name, tls_stall if name == "tls-stall" else script_of(name, fault.play))
        self.urls["tls-stall"] = self.urls["tls-stall"].replace("http:", "https:")
        await self._open("good", script_of("good", GOOD_PLAY))
        await self._open("storm", self._any)
        self._storm = await self._proxy("storm", self._any_harm)
        await self._proxy("black-hole", lambda _: Harm(kind="black_hole"))
        self.urls["refused"] = f"http://127.0.0.1:{self._unused()}"
        self.urls["unanswered"] = f"http://127.0.0.1:{self._full()}"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def _open(self, name: str, script: Callable[[Peer], Awaitable[None]]) -> None:
        self.hosts[name] = host = await self._stack.enter_async_context(RawUpstream(script))
        self.urls[name] = f"http://127.0.0.1:{host.port}"

    async def _proxy(self, name: str, choose: Callable[[int], Harm | None]) -> FaultProxy:
        port = self.hosts.get(name, self.hosts["good"]).port
        proxy = await self._stack.enter_async_context(FaultProxy(port, choose=choose))
        self.urls[name] = f"http://127.0.0.1:{proxy.port}"
        return proxy

    def _listening(self) -> socket.socket:
        listening = socket.socket()
        self._stack.callback(listening.close)
        listening.bind(("127.0.0.1", 0))
        return listening

    def _unused(self) -> int:
        return int(self._listening().getsockname()[1])  # bound, and so nobody else's, but nobody listens

    def _full(self) -> int:
        """A port whose queue is full and whose owner never looks: whoever connects to it is not answered."""
        listening = self._listening()
        listening.listen(0)
        for _ in range(4):
            filler = socket.socket()
            self._stack.callback(filler.close)
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        return int(listening.getsockname()[1])

    async def _any(self, peer: Peer) -> None:
        while request := await peer.request():
            name = "good" if self._dice.random() < 0.5 else self._dice.choice(MILD)
            peer.fire(name)
            play = FAULTS[name].play if name != "good" else GOOD_PLAY
            if play is None or not await play(peer, b'"stream": true' in request):
                return

    def _any_harm(self, _: int) -> Harm | None:
        if self._dice.random() < 0.6:
            return None
        kind: Any = self._dice.choice(HARMS)
        return Harm(
            kind=kind, after=self._dice.choice((0, 1, 40, 150, 600)), seconds=self._dice.uniform(0, 0.05), size=200
        )


def configuration(hosts: FaultyHosts) -> str:
    """A deployment of each host, by the host's name. JSON is YAML."""
    waits = {name for name, fault in FAULTS.items() if {fault.whole, fault.stream} & {LATE, STALLED}} | {"storm"}
    backends = {
        name: {
            "provider": "openai_compatible",
            "base_url": f"{url}/v1",
            "connection": IMPATIENT if name in waits else PATIENT,
        }
        for name, url in hosts.urls.items()
    }
    deployments = {name: {"backends": [{"backend": name}], "health": FORGIVING} for name in backends}
    return json.dumps({"version": 1, "backends": backends, "deployments": deployments, "log": {"level": "error"}})
