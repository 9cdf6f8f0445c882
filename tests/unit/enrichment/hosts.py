"""A model host within the test: it answers by a function of the last message, and remembers what it was asked."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from forehearth.core.clock import SystemClock
from forehearth.core.enrichment_settings import JobLimits
from forehearth.core.errors import Failed
from forehearth.core.upstream import Origin, Request, Response
from forehearth.enrichment.asking import Asker, Host
from forehearth.enrichment.budget import Budget, Spent
from forehearth.enrichment.gate import Gate
from forehearth.enrichment.spec import Spec
from forehearth.enrichment.template import Template

USED = {"prompt_tokens": 10, "completion_tokens": 5}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}

Said = str | Failed | Response


def saying(
    content: str | None, *, finish: str = "stop", usage: dict[str, int] | None = USED, **message: Any
) -> Response:
    """A chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    body = {"model": "m-2", "choices": [choice]} | ({"usage": usage} if usage is not None else {})
    return Response(status=200, body=json.dumps(body).encode())


def refusing(status: int, code: str = "", message: str = "no", **headers: str) -> Response:
    """An error answer."""
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    return Response(
        status=status, headers={k.replace("_", "-").encode(): v.encode() for k, v in headers.items()}, body=body
    )


class FakeHost:
    """A provider and a sender in one."""

    def __init__(self, answer: Callable[[str], Said], pause: float = 0.0) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.most = self._inside = 0
        self._answer = answer
        self._pause = pause

    @property
    def prompts(self) -> list[str]:
        """What was asked, the last messages alone."""
        return [each["messages"][-1]["content"] for each in self.bodies]

    def request(self, call: Any, model: str) -> Request:
        assert model == call.model_in_body
        return Request(origin=Origin(scheme="http", host="host"), target=b"/", body=call.body)

    async def send(self, request: Request) -> Response:
        body = json.loads(request.body)
        self.bodies.append(body)
        self._inside += 1
        self.most = max(self.most, self._inside)
        await asyncio.sleep(self._pause)
        self._inside -= 1
        said = self._answer(body["messages"][-1]["content"])
        if isinstance(said, Failed):
            raise said
        return saying(said) if isinstance(said, str) else said


def spec(**more: Any) -> Spec:
    """A question with one place."""
    return Spec(**{"template": Template("{text}"), "model": "m", "max_output_tokens": 100} | more)


def asker(host: FakeHost, question: Spec, **more: Any) -> Asker:
    """Who asks it."""
    clock = more.pop("clock", None) or SystemClock()
    budget = more.pop("budget", None) or Budget(JobLimits(), Spent(), None, clock.monotonic)
    gate = more.pop("gate", None) or Gate(8, clock.monotonic)
    more.setdefault("sleep", lambda _: asyncio.sleep(0))
    return Asker(question, Host(provider=host, sender=host), gate=gate, budget=budget, clock=clock, **more)
