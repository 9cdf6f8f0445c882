"""Answers requests by script where another sender would carry them to a host, faults and timers included."""

import asyncio
from collections.abc import AsyncGenerator
from itertools import chain

from forehearth.core.call import Operation
from forehearth.core.clock import Clock, SystemClock
from forehearth.core.errors import Broken, Refused, Unreachable
from forehearth.core.upstream import Request, Response
from forehearth.providers.scripted import ScriptedSettings
from forehearth.providers.scripted_rules import Rule
from forehearth.transport import failures
from forehearth.transport.scripted import embedding, question, refusal
from forehearth.transport.scripted.completion import Completion
from forehearth.transport.scripted.patience import FOREVER, Patience, Sleep
from forehearth.transport.scripted.script import Script

_SLOW_SECONDS = 30.0
"""The delay of `slow_first_byte`, when none is given."""
_GARBAGE = b'<html>\x00\xff\xfe{"id": "chatcmpl-'


class ScriptedSender:
    """One `scripted` backend. What it raises, and when, is what the HTTP sender would for a host that does the same.

    It draws nothing from a random source: chances come from the seed, so that they can be repeated.
    """

    def __init__(
        self, name: str, settings: ScriptedSettings, *, clock: Clock | None = None, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._name = name
        self._settings = settings
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._script = Script(settings)

    async def send(self, request: Request) -> Response:
        """Answer. Raises `Unreachable`, `TimedOut` or `Broken` where the script has a fault, or the timers end."""
        patience = Patience(request.timeouts, self._clock, self._sleep)
        try:
            asked = question.read(request.target, request.body, self._settings.dimensions)
        except Refused as error:
            return refusal.unreadable(error)
        turn = self._script.turn(asked)
        rule = turn.rule
        if rule.fault == "unreachable":
            raise Unreachable("No connection to the backend: it was refused.", backend=self._name)
        if rule.status is not None:
            await self._begin(rule, patience)
            return refusal.scripted(rule.status, rule)
        if asked.operation is Operation.EMBEDDINGS:
            await self._begin(rule, patience)
            return await self._whole(await embedding.whole(rule, asked), rule, patience)
        answer = Completion(turn, asked, int(self._clock.unix()))
        if asked.stream:
            await self._begin(rule, patience)
            headers = _headers(rule, b"text/event-stream; charset=utf-8")
            return Response(status=200, headers=headers, stream=self._stream(answer, rule, patience))
        pace = self._pace(rule)
        await self._begin(rule, patience, work=answer.length / pace if pace else 0.0)
        return await self._whole(answer.whole(), rule, patience)

    async def _begin(self, rule: Rule, patience: Patience, *, work: float = 0.0) -> None:
        """Wait for the first byte; `work` is how long the answer takes to make."""
        if rule.fault == "hang":
            await patience.until_answer(FOREVER)
        await patience.until_answer(work + (0.0 if rule.fault == "slow_first_byte" else self._delay(rule)))
        if rule.fault == "reset":
            raise Broken("The backend closed the connection without an answer.", backend=self._name)

    async def _whole(self, body: bytes, rule: Rule, patience: Patience) -> Response:
        """The response, as much of it as the fault lets arrive."""
        if rule.fault == "slow_first_byte":
            await patience.until_more(self._delay(rule))
        await self._break_off(rule, patience)
        if rule.fault == "truncate":
            body = body[: len(body) // 2]
        elif rule.fault == "garbage":
            body = _GARBAGE
        return Response(status=200, headers=_headers(rule, b"application/json"), body=body)

    async def _stream(self, answer: Completion, rule: Rule, patience: Patience) -> AsyncGenerator[bytes, None]:
        await patience.until_more(self._delay(rule) if rule.fault == "slow_first_byte" else 0.0)
        pace = self._pace(rule)
        start = patience.now()
        for event in answer.opening():
            yield event
        # Faults in the middle strike here, before the closing events where there are no others.
        middle = answer.length // 2
        for number, events in enumerate(chain(answer.steps(), [list(answer.closing())])):
            due = start + min(number + 1, answer.length) / pace if pace else 0.0
            await patience.until_more(due - patience.now())
            if number == middle:
                await self._break_off(rule, patience)
                if rule.fault == "truncate":
                    yield events[0][: len(events[0]) // 2]
                    return
                if rule.fault == "garbage":
                    yield b"data: " + _GARBAGE + b"\n\n"
            for event in events:
                yield event

    async def _break_off(self, rule: Rule, patience: Patience) -> None:
        if rule.fault == "reset_mid_stream":
            raise failures.cut_short()
        if rule.fault == "hang_mid_stream":
            await patience.until_more(FOREVER)

    def _delay(self, rule: Rule) -> float:
        given = self._settings.delay if rule.delay is None else rule.delay
        return given or _SLOW_SECONDS if rule.fault == "slow_first_byte" else given

    def _pace(self, rule: Rule) -> float | None:
        return rule.tokens_per_second or self._settings.tokens_per_second


def _headers(rule: Rule, media_type: bytes) -> dict[bytes, bytes]:
    return {
        b"content-type": media_type,
        **{name.lower().encode(): value.encode() for name, value in rule.headers.items()},
    }
