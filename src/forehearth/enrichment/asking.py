"""Asks a model host one prompt, until there is an answer that fits or a reason why there is none.

A host that is busy is waited for and never counts against a row; one that fails is asked again a few times. What no
other prompt would fare better with (a wrong key, no such deployment) ends the run, and so does a host that has not
answered anything for long.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import ClassVar, Final, NoReturn

import msgspec

from forehearth.core.call import Call, Operation
from forehearth.core.clock import Clock
from forehearth.core.errors import RETRYABLE_STATUSES, BackendRefused, Broken, Failed, Overloaded, TimedOut, Unreachable
from forehearth.core.principal import Principal
from forehearth.core.upstream import Response
from forehearth.core.usage import Usage
from forehearth.dialects import openai_errors, usage
from forehearth.enrichment.answer_schema import Misfit
from forehearth.enrichment.answers import Answer, RowError
from forehearth.enrichment.budget import Budget, LimitReached, Reservation
from forehearth.enrichment.gate import Gate
from forehearth.enrichment.run_record import CLASSES, latency_class
from forehearth.enrichment.spec import Spec
from forehearth.ports.provider import Provider
from forehearth.ports.sender import Sender

_OK: Final = 200
_TOO_MANY: Final = 429
_WHOLE_RUN: Final = frozenset({401, 403, 404})
"""Answers that every other prompt would get too."""
_PAUSE: Final = 0.5
"""Seconds before a host that failed is asked again; doubled each time, and spread by chance."""
_LONGEST_PAUSE: Final = 30.0
_FIRST_PATIENCE: Final = 15.0
"""Seconds until a host that was never reached is given up."""
_FAILURES_IN_A_ROW: Final = 100
"""Rows that fail one after another before the host is held to be ill, and not the rows."""
_SELF: Final = Principal(name="enrichment", kind="application")


class RunStopped(Exception):
    """No row can be answered. The message says why, fit for whoever started the run."""

    def __init__(self, why: str, *, busy: bool = False) -> None:
        super().__init__(why)
        self.busy = busy
        """Whether the host was busy for so long that nobody waits any more: later it may do what it is asked."""


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message = msgspec.field(default_factory=_Message)
    finish_reason: str | None = None


class _Reply(msgspec.Struct):
    choices: list[_Choice] = []
    model: str = ""


_reply = msgspec.json.Decoder(_Reply)


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asked: who words the request, and who carries it."""

    provider: Provider
    sender: Sender


class Asker:
    """Asks by one spec. It holds what all its calls share: the gate, the budget, and when the host last answered."""

    operation: ClassVar = Operation.CHAT

    def __init__(  # noqa: PLR0913 - what is passed in so that it can be another one in tests
        self,
        spec: Spec,
        host: Host,
        *,
        gate: Gate,
        budget: Budget,
        clock: Clock,
        retries: int = 5,
        patience: float = 600.0,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._spec = spec
        self._host = host
        self._gate = gate
        self._budget = budget
        self._clock = clock
        self._retries = retries
        self._patience = patience
        self._sleep = sleep
        self._chance = chance
        self._answered = float("-inf")
        self._failed_rows = 0
        self.latency = [0] * CLASSES
        """Calls that were answered, by how long it took: see `run_record.latency_class`."""
        self._stopped: Exception | None = None
        self._stopping = asyncio.Event()
        # The body around the prompt is the same for every row, so it is written once.
        self._head = self._opening(spec)
        self._call = Call(
            request_id="",
            surface="enrichment",
            operation=self.operation,
            name=spec.model,
            body=b"",
            model_in_body=spec.model,
            has_model_member=True,
            principal=_SELF,
            started=0.0,
        )

    @property
    def most(self) -> int:
        """How many calls can be under way at the same time."""
        return self._gate.most

    def stop(self, why: Exception) -> None:
        """Send nothing more: whoever has not sent yet gets this error. What is under way comes to its end."""
        self._stopped = self._stopped or why
        self._stopping.set()
        self._gate.open_wide()

    def _opening(self, spec: Spec) -> bytes:
        """The body until the prompt."""
        request = msgspec.json.encode(spec.request())
        system = {"role": "system", "content": spec.system}
        first = msgspec.json.encode(system) + b"," if spec.system is not None else b""
        return request[:-1] + b',"messages":[' + first + b'{"role":"user","content":'

    def heed(self) -> None:
        """Raise the error with which it was stopped, if it was."""
        if self._stopped is not None:
            raise self._stopped

    async def ask(self, prompt: str) -> Answer:
        """The answer, checked and where need be repaired once. Raises `RunStopped` and `LimitReached`."""
        body = self._head + msgspec.json.encode(prompt) + b"}"
        answer = await self._said(body + b"]}")
        if self._spec.schema is None or answer.text is None:
            return self._noted(answer)
        try:
            self._spec.schema.read(answer.text)
        except Misfit as misfit:
            return self._noted(await self._repaired(body, answer, misfit))
        return self._noted(answer)

    async def _repaired(self, body: bytes, first: Answer, misfit: Misfit) -> Answer:
        """Tell the model once what was wrong."""
        told = (
            f"This answer does not fit the schema: {misfit}. "
            "Answer again, with JSON that fits the schema and nothing else."
        )
        turns = [{"role": "assistant", "content": first.text}, {"role": "user", "content": told}]
        more = b"".join(b"," + msgspec.json.encode(each) for each in turns)
        second = await self._said(body + more + b"]}")
        second = msgspec.structs.replace(second, usage=_together(first.usage, second.usage))
        if second.text is None or self._spec.schema is None:
            return second
        try:
            self._spec.schema.read(second.text)
        except Misfit as again:
            error = RowError(code="invalid_output", message=f"The answer does not fit the schema: {again}.")
            return msgspec.structs.replace(second, text=None, error=error)
        return second

    async def _said(self, body: bytes) -> Answer:
        """What the host says to one body, however often it has to be asked."""
        failures, began = 0, self._clock.monotonic()
        while True:
            entered = await self._gate.enter()
            answered = False
            try:
                self.heed()
                outcome = await self._once(body)
                answered = isinstance(outcome, Answer)
            except (RunStopped, LimitReached) as reason:
                self.stop(reason)
                raise
            finally:
                self._gate.leave(answered=answered)
            if isinstance(outcome, Answer):
                return outcome
            self.heed()
            self._check_patience(outcome, began)
            if _is_busy(outcome):
                self._gate.slow(entered, self._wait(outcome, failures))
            else:
                failures += not isinstance(outcome, Unreachable)
                if failures > self._retries:
                    return self._given_up(outcome)
                await self._pause(self._wait(outcome, failures))

    async def _once(self, body: bytes) -> Answer | Failed:
        """Send, and say what came of it: an answer of any kind, or a failure after which to ask again."""
        held = await self._budget.reserve(len(body), self._spec.longest)
        sent = self._clock.monotonic()
        try:
            call = msgspec.structs.replace(self._call, body=body)
            response = await self._host.sender.send(self._host.provider.request(call, self._spec.model))
        except (TimedOut, Broken) as failure:
            self._budget.book_most(held)
            return failure
        except (Unreachable, Overloaded) as failure:
            self._budget.give_back(held)
            return failure
        except BaseException:
            self._budget.book_most(held)
            raise
        if response.stream is not None:
            await response.stream.aclose()
            self._budget.book_most(held)
            return Broken("The model's host answered with a stream that nobody asked for.")
        self.latency[latency_class(self._clock.monotonic() - sent)] += 1
        return self._read(response, held)

    def _read(self, response: Response, held: Reservation) -> Answer | Failed:
        if response.status != _OK:
            self._budget.settle(held, None)
            refused = openai_errors.read(response.status, response.headers, response.body, backend="")
            if response.status in _WHOLE_RUN:
                raise RunStopped(f"the host answers with {response.status}: {refused.message}")
            if response.status in RETRYABLE_STATUSES:
                return refused
            self._answered = self._clock.monotonic()
            return Answer(error=RowError(code=refused.error_code or "refused", message=refused.message))
        try:
            used = usage.read(response.body)
            answer = self._heard(response.body, used, self._clock.unix())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Broken):
            self._budget.book_most(held)
            return Broken(f"The model's host sent a body that is no answer to {self.operation}.")
        if used is None:
            self._budget.settle_untold(held)
        else:
            self._budget.settle(held, used)
        self._answered = self._clock.monotonic()
        return answer

    def _heard(self, body: bytes, used: Usage | None, unix: float) -> Answer:
        """What a body says. Raises `msgspec.DecodeError` for one that says nothing."""
        return _answer(_reply.decode(body), used, unix)

    def _wait(self, failure: Failed, failures: int) -> float:
        if failure.retry_after is not None:
            return failure.retry_after
        longest = min(_LONGEST_PAUSE, _PAUSE * 2.0 ** max(0, failures - 1))
        return longest * (0.5 + 0.5 * self._chance())

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until it is stopped."""
        waiting = [asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(self._stopping.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    def _check_patience(self, failure: Failed, began: float) -> None:
        """Raise `RunStopped` where the host has been silent for long, since `began` or since it answered anybody."""
        if failure.retry_after is not None and failure.retry_after > self._patience:
            why = f"the host wants to be left alone for {failure.retry_after:,.0f} s: {failure.message}"
            self._end(why, busy=True)
        silent = self._clock.monotonic() - max(self._answered, began)
        # Where nobody has ever been reached, the address is likely to be wrong: say so soon.
        unknown = isinstance(failure, Unreachable) and not any(self.latency)
        if silent > (min(self._patience, _FIRST_PATIENCE) if unknown else self._patience):
            why = f"the host has not answered for {silent:.0f} s; the last that was heard: {failure.message}"
            self._end(why, busy=_is_busy(failure))

    def _end(self, why: str, *, busy: bool = False) -> NoReturn:
        reason = RunStopped(why, busy=busy)
        self.stop(reason)
        raise reason

    def _given_up(self, failure: Failed) -> Answer:
        code = "timeout" if isinstance(failure, TimedOut) else "host_failed"
        return Answer(error=RowError(code=code, message=failure.message))

    def _noted(self, answer: Answer) -> Answer:
        """Many rows that fail one after another are no longer about the rows. Raises `RunStopped`."""
        self._failed_rows = 0 if answer.error is None else self._failed_rows + 1
        if answer.error is not None and self._failed_rows >= _FAILURES_IN_A_ROW:
            self._end(f"{self._failed_rows} rows failed one after another, the last one: {answer.error.message}")
        return answer


def _is_busy(failure: Failed) -> bool:
    return isinstance(failure, Overloaded) or (isinstance(failure, BackendRefused) and failure.status == _TOO_MANY)


def _answer(reply: _Reply, used: Usage | None, unix: float) -> Answer:
    choice = reply.choices[0] if reply.choices else _Choice()
    text, error = choice.message.content, None
    if choice.finish_reason == "content_filter":
        text, error = None, RowError(code="content_filter", message="The host's content filter kept the answer back.")
    elif choice.message.refusal:
        text, error = None, RowError(code="refusal", message=f"The model refused: {choice.message.refusal[:300]}")
    elif choice.finish_reason == "length":
        text, error = None, RowError(code="truncated", message="The answer is longer than max_output_tokens.")
    elif text is None:
        error = RowError(code="empty", message="The model answered with no text.")
    return Answer(text=text, error=error, model=reply.model, usage=used, unix=unix)


def _together(one: Usage | None, other: Usage | None) -> Usage | None:
    if one is None or other is None:
        return one or other
    return Usage(
        prompt=one.prompt + other.prompt,
        completion=one.completion + other.completion,
        cached=one.cached + other.cached,
        reasoning=one.reasoning + other.reasoning,
    )
