"""Pools of hosts that a test plays, on a clock that it moves."""

import contextlib
import random
from collections.abc import Sequence
from typing import Any

from forehearth.core.call import Call, Operation
from forehearth.core.errors import Failed
from forehearth.core.exchange import Reply
from forehearth.core.principal import Principal
from forehearth.core.routing_settings import HealthSettings, RetrySettings
from forehearth.core.settings import ModelSettings
from forehearth.providers.openai_compatible import OpenAICompatible, OpenAICompatibleSettings
from forehearth.routing.attempts import Attempts
from forehearth.routing.deployment import Backend, Deployment
from forehearth.routing.member import Member
from forehearth.routing.plan import Strategy
from forehearth.routing.pool import Pool
from forehearth.routing.strategies.priority import priority
from forehearth.testing.clock import VirtualClock
from tests.unit.doors import Counts, Host, answer

OK = answer({"choices": []})
CHAT = b'{"model": "chat", "messages": [{"role": "user", "content": "hi"}]}'


class Watched:
    """A `PoolMeter` that keeps what it is told."""

    def __init__(self) -> None:
        self.ejections: list[str] = []
        self.retries: list[bool] = []
        self.spillovers = 0

    def ejected(self, backend: str, model: str) -> None:
        self.ejections.append(backend)

    def retried(self, *, allowed: bool) -> None:
        self.retries.append(allowed)

    def spilled(self) -> None:
        self.spillovers += 1


def a_call(body: bytes = CHAT, **rest: Any) -> Call:
    """A call for a chat."""
    known = {
        "request_id": "id-1",
        "surface": "openai_v1",
        "operation": Operation.CHAT,
        "name": "chat",
        "body": body,
        "model_in_body": "chat",
        "has_model_member": True,
        "principal": Principal(name="somebody", kind="user"),
        "started": 0.0,
    }
    return Call(**known | rest)


def backend(name: str, host: Host | None = None, **rest: Any) -> Backend:
    """A backend whose host the test plays; without one, it answers everything."""
    settings = OpenAICompatibleSettings(base_url=f"http://{name}.example/v1")
    known = {"model": f"{name}-model"}
    return Backend(name=name, provider=OpenAICompatible(name, settings), sender=host or Host(OK), **known | rest)


class Table:
    """A deployment with its pool, its attempts and all that is around them. `hosts` are named one, two, …"""

    def __init__(
        self,
        *hosts: Host,
        each: Sequence[dict[str, Any]] = (),
        strategy: Strategy = priority,
        seed: int = 1,
        retries: RetrySettings | None = None,
        health: HealthSettings | None = None,
        **rest: Any,
    ) -> None:
        self.clock = VirtualClock()
        self.watched = Watched()
        self.counts = Counts()
        self.hosts = dict(zip(("one", "two", "three", "four"), hosts, strict=False))
        own = [*each, *({} for _ in hosts)]
        self.deployment = Deployment(
            name="chat",
            facts=ModelSettings(),
            backends=tuple(
                backend(name, host, **extra) for (name, host), extra in zip(self.hosts.items(), own, strict=False)
            ),
            retries=retries or RetrySettings(),
            health=health or HealthSettings(),
            **rest,
        )
        self.pool = Pool(self.deployment, self.clock, self.watched)
        self.attempts = Attempts(self.pool, self.counts, strategy=strategy, dice=random.Random(seed))

    def member(self, name: str) -> Member:
        return next(each for each in self.pool.members if each.backend.name == name)

    def pass_time(self, seconds: float) -> None:
        """Let it be later; nobody is asleep."""
        self.clock._monotonic += seconds

    async def ask(self, call: Call | None = None, *, closed: bool = True) -> tuple[Call, Reply]:
        """One call, whose record is closed at once unless its answer shall go on. Raises what the attempts raise."""
        call = call or a_call()
        try:
            reply = await self.attempts(call)
        except Failed as error:
            call.record.outcome = error.code
            call.record.close()
            raise
        if closed:
            call.record.outcome = "ok"
            call.record.close()
        return call, reply

    async def tried(self, call: Call | None = None) -> list[str]:
        """The backends that one call was sent to, whether or not it was answered."""
        call = call or a_call()
        with contextlib.suppress(Failed):
            await self.ask(call)
        return [each.backend for each in call.record.attempts]

    async def told(self, call: Call | None = None) -> Failed:
        """The failure that one call ends with."""
        try:
            await self.ask(call)
        except Failed as error:
            return error
        raise AssertionError("it was answered")
