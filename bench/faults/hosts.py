"""Model hosts, each behind a proxy that can do harm, and a server with all of them in a deployment `chat`."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.faults.open_loop import Callers
from bench.faults.served import Served, forehearth
from forehearth.testing.fault_proxy import Fault, FaultProxy
from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer, Upstream

Respond = Callable[[Seen], Answer | None]
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


class Hosts:
    """`host-0`, `host-1`, …; what each was asked is counted, and by which text.

    `backends` is said of each of them, `deployment` of `chat`; `rest` is the rest of the configuration, with further
    deployments on the same hosts. `variables` are the server's.
    """

    def __init__(
        self,
        folder: Path,
        hosts: int = 1,
        *,
        harm: Callable[[int], Fault | None] | None = None,
        backends: Mapping[str, Any] | None = None,
        rest: Mapping[str, Mapping[str, Any]] | None = None,
        variables: Mapping[str, str] | None = None,
        **deployment: Any,
    ) -> None:
        self.answering: list[Respond] = [good] * hosts
        """How each answers."""
        self.asked: list[Counter[str]] = [Counter() for _ in range(hosts)]
        """By the text of the call, how often each was asked."""
        self.proxies: list[FaultProxy] = []
        self.upstreams: list[Upstream] = []
        self._folder = folder
        self._harm = harm
        self._backend = dict(backends or {})
        self._rest = dict(rest or {})
        self._deployments = {"chat": deployment, **self._rest.pop("deployments", {})}
        self._variables = variables
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for number in range(len(self.answering)):
            upstream = Upstream(respond=lambda seen, number=number: self._answer(number, seen))
            self.upstreams.append(await self._stack.enter_async_context(upstream))
            proxy = FaultProxy(upstream.origin.port, choose=self._harm)
            self.proxies.append(await self._stack.enter_async_context(proxy))
        self.served: Served = await self._stack.enter_async_context(
            forehearth(self._configuration(), self._folder, self._variables)
        )
        self.callers = await self._stack.enter_async_context(Callers(self.served))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def requests(self) -> int:
        """What all hosts were asked together."""
        return sum(each.total() for each in self.asked)

    @property
    def fired(self) -> Counter[str]:
        """What the proxies did."""
        return sum((proxy.fired for proxy in self.proxies), Counter())

    def _answer(self, number: int, seen: Seen) -> Answer | None:
        self.asked[number][json.loads(seen.body)["messages"][-1]["content"]] += 1
        return self.answering[number](seen)

    def _configuration(self) -> str:
        names = {f"host-{number}": proxy.port for number, proxy in enumerate(self.proxies)}
        provider = {"provider": "openai_compatible", **self._backend}
        return json.dumps(
            {
                "version": 1,
                "server": {"tls_port": None, "workers": 2},
                "log": {"level": "error"},
                "backends": {
                    name: {**provider, "base_url": f"http://127.0.0.1:{port}/v1"} for name, port in names.items()
                },
                "deployments": {
                    name: {"backends": [{"backend": each} for each in names], **deployment}
                    for name, deployment in self._deployments.items()
                },
                **self._rest,
            }
        )


def good(seen: Seen, *, delay: float = 0.0) -> Answer:
    """An answer, whole or as a stream; both say what was used."""
    if json.loads(seen.body).get("stream"):
        words = [event({"choices": [{"index": 0, "delta": {"content": "x"}}]}) for _ in range(20)]
        return Answer(pieces=(*words, event({"choices": [], "usage": USAGE}), b"data: [DONE]\n\n"), delay=delay)
    choice = {"index": 0, "message": {"role": "assistant", "content": "x" * 400}, "finish_reason": "stop"}
    return Answer(body=json.dumps({"choices": [choice], "usage": USAGE}).encode(), delay=delay)


def event(content: object) -> bytes:
    """A server-sent event."""
    return b"data: " + json.dumps(content).encode() + b"\n\n"


async def until(condition: Callable[[], bool], within: float) -> float:
    """Seconds until it holds; so many, where it does not by then."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not condition() and loop.time() - began < within:  # noqa: ASYNC110 - the kernel does not tell
        await asyncio.sleep(0.01)
    return loop.time() - began
