"""A gateway in front of real hosts on loopback ports, each behind a fault proxy, and callers who do not wait.

Everything is real but the way in: requests are handed to the gateway as the HTTP server hands them, without a socket.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

import msgspec

from forehearth.core.backend_state import BackendState
from forehearth.core.errors import Failed
from forehearth.core.exchange import Reply
from forehearth.core.record import CallRecord
from forehearth.core.settings import DeploymentSettings, OutboundSettings, Settings
from forehearth.gateway.admitted import Admitted
from forehearth.gateway.arrival import Gateway
from forehearth.providers.openai_compatible import OpenAICompatibleSettings
from forehearth.registry import Surroundings
from forehearth.server.compose import build_gateway
from forehearth.telemetry.cells import Cells
from forehearth.telemetry.metrics import Metrics
from forehearth.testing.fault_proxy import Fault, FaultProxy
from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer, Upstream
from forehearth.transport.client import HttpClient
from tests.unit.doors import RESOURCE, Known, head

V1 = "/openai/v1/chat/completions"

Respond = Callable[[Seen], Answer | None]


class Done(msgspec.Struct, kw_only=True):
    """A call that is over."""

    status: int
    body: bytes
    headers: Mapping[bytes, bytes]
    record: CallRecord
    ended: float
    """On the monotonic clock."""

    @property
    def text(self) -> str:
        """What the host's answer says."""
        return str(json.loads(self.body)["choices"][0]["message"]["content"])


class Stage:
    """Hosts `host-0`, `host-1`, …, all of one deployment named `chat`: an async context manager."""

    def __init__(
        self,
        hosts: int,
        *,
        backends: tuple[Mapping[str, Any], ...] = (),
        connection: OutboundSettings | None = None,
        harm: Callable[[int], Fault | None] | None = None,
        **deployment: Any,
    ) -> None:
        self.answering: list[Respond | None] = [None] * hosts
        """How each host answers; the last message back, where that is None."""
        self.proxies: list[FaultProxy] = []
        self.upstreams: list[Upstream] = []
        self._backends = [*backends, *({} for _ in range(hosts))][:hosts]
        self._connection = connection or OutboundSettings()
        self._harm = harm
        self._deployment = deployment
        self._stack = AsyncExitStack()
        self._around: Surroundings | None = None
        self._gateway: Gateway | None = None

    async def __aenter__(self) -> Self:
        for number in range(len(self.answering)):
            upstream = Upstream(respond=lambda seen, number=number: self._answer(number, seen))
            self.upstreams.append(await self._stack.enter_async_context(upstream))
            self.proxies.append(
                await self._stack.enter_async_context(FaultProxy(upstream.origin.port, choose=self._harm))
            )
        client = await self._stack.enter_async_context(HttpClient())
        self._around = Surroundings(http=client, environ={}, embedded_socket="")
        self._gateway = build_gateway(
            self._settings(), self._around, identity=Known(), metrics=Metrics(Cells()), created=0
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def states(self) -> list[BackendState]:
        """How the backends are now, in their order."""
        assert self._around is not None
        return list(self._around.pools.states())

    async def call(self, text: str = "hi", *, stream: bool = False) -> Done:
        """One call to its end."""
        assert self._gateway is not None
        admitted = self._gateway.accept(head(V1))
        assert isinstance(admitted, Admitted)
        body = {"model": "chat", "stream": stream, "messages": [{"role": "user", "content": text}]}
        reply = await admitted.answer(json.dumps(body).encode())
        received = await _read(reply)
        return Done(
            status=reply.status,
            body=received,
            headers=dict(reply.headers),
            record=admitted._entry.record,
            ended=asyncio.get_running_loop().time(),
        )

    async def load(
        self,
        calls: int,
        per_second: float,
        *,
        during: Mapping[int, Callable[[], Awaitable[None]]] | None = None,
        stream: bool = False,
    ) -> list[Done]:
        """So many calls, begun at a steady pace whether or not those before are answered; and what happens before
        some of them."""
        loop = asyncio.get_running_loop()
        began, tasks = loop.time(), []
        for number in range(calls):
            await asyncio.sleep(max(0.0, began + number / per_second - loop.time()))
            if during and number in during:
                await during[number]()
            tasks.append(asyncio.create_task(self.call(f"call {number}", stream=stream)))
        return list(await asyncio.gather(*tasks))

    def _answer(self, number: int, seen: Seen) -> Answer | None:
        respond = self.answering[number]
        return respond(seen) if respond else None

    def _settings(self) -> Settings:
        names = [f"host-{number}" for number in range(len(self.answering))]
        return Settings(
            server=msgspec.structs.replace(Settings().server, resource=RESOURCE),
            backends={
                name: OpenAICompatibleSettings(
                    base_url=f"http://127.0.0.1:{proxy.port}/v1", connection=self._connection
                )
                for name, proxy in zip(names, self.proxies, strict=True)
            },
            deployments={
                "chat": msgspec.convert(
                    {
                        "backends": [
                            {"backend": name, **extra} for name, extra in zip(names, self._backends, strict=True)
                        ],
                        **self._deployment,
                    },
                    DeploymentSettings,
                )
            },
        )


async def _read(reply: Reply) -> bytes:
    if reply.stream is None:
        return reply.body
    received = bytearray()
    try:
        with contextlib.suppress(Failed):  # what broke off has said so in its last event
            async for piece in reply.stream:
                received += piece
    finally:
        await reply.stream.aclose()
    return bytes(received)


def succeeded(calls: list[Done]) -> float:
    """The share of the calls that were answered."""
    return sum(each.status == 200 for each in calls) / len(calls)


def shares(calls: list[Done]) -> dict[str, float]:
    """Who answered which share of the calls."""
    answered = [each.record.backend for each in calls if each.status == 200]
    return {name: answered.count(name) / len(answered) for name in sorted(set(answered))}


def attempts(calls: list[Done], backend: str | None = None) -> int:
    """How many requests the calls made of the hosts, or of one."""
    return sum(backend in (None, each.backend) for call in calls for each in call.record.attempts)
