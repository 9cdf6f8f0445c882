"""Asks a deployment's backends, one after the other as the plan has them, until one answers.

The next one is asked only where the call was certainly not carried out, or where the host said that it is busy or
ill; never after the first byte of an answer, never beyond the call's deadline, and within the retry budget.
"""

import random
from collections.abc import Sequence
from typing import NoReturn

import msgspec

from forehearth.core.call import MEDIA, Call
from forehearth.core.errors import (
    AllBusy,
    AllDown,
    Broken,
    Failed,
    ForehearthError,
    Overloaded,
    TimedOut,
    Unreachable,
)
from forehearth.core.exchange import Header, Reply
from forehearth.core.record import Attempt
from forehearth.core.upstream import Request, Response
from forehearth.dialects import openai_errors
from forehearth.ports.meter import Meter
from forehearth.routing.deployment import Backend
from forehearth.routing.health import BUSY_SECONDS
from forehearth.routing.member import TOTAL, Member
from forehearth.routing.plan import Plan, Planner, Strategy, soonest
from forehearth.routing.pool import Pool
from forehearth.routing.retry_budget import RetryBudget
from forehearth.routing.routes import prompt_tokens
from forehearth.routing.spillover import Failures, explain, refused_before, spillover_headers
from forehearth.routing.strategies.priority import priority

_PASSED = frozenset(
    {
        b"azureml-model-group",
        b"azureml-model-session",
        b"content-type",
        b"openai-model",
        b"openai-processing-ms",
        b"x-ms-rai-invoked",
        b"x-ms-region",
        b"x-ratelimit-limit-requests",
        b"x-ratelimit-limit-tokens",
        b"x-ratelimit-remaining-requests",
        b"x-ratelimit-remaining-tokens",
        b"x-ratelimit-reset-requests",
        b"x-ratelimit-reset-tokens",
    }
)
"""Headers of a backend's answer that clients read; all others stay between the backend and us."""
_RESTART_SECONDS = 1.0
_OK = 200


class Attempts:
    """The innermost of a deployment's onion: a call in, a backend's reply out."""

    def __init__(
        self, pool: Pool, meter: Meter, *, strategy: Strategy = priority, dice: random.Random | None = None
    ) -> None:
        self._pool = pool
        self._now = pool.now
        self._meter = meter
        self._planner = Planner(pool.members, strategy, dice or random.Random())  # noqa: S311 - spreads load, guards nothing
        self._retries = pool.deployment.retries
        self._budget = RetryBudget(self._retries)
        self._deadline = pool.deployment.deadline
        only = pool.members[0] if len(pool.members) == 1 and not pool.is_limited else None
        self._only = only
        """Nothing to plan, as long as it is well."""
        self._straight = Plan(order=() if only is None else (only,))

    async def __call__(self, call: Call) -> Reply:
        """Answer `call`.

        Raises the last backend's `Failed` when none answers, `AllBusy` or `AllDown` when there is none to ask.
        """
        now, tokens, only = self._now(), 0, self._only
        if only is not None and only.health.clear:
            plan = self._straight
        else:
            tokens = _may_use(call) if self._pool.is_limited else 0
            plan = self._planner.plan(call, tokens, now)
            self._budget.called(now)
        failures: Failures = []
        for member in plan.order if not call.only_responses else _with_responses(plan):
            left = self._deadline
            if call.record.attempts:  # of this deployment, or of one before it in a chain
                now = self._now()
                left = self._time_left(call, now)
                if left <= 0 or (failures and not self._may_go_on(call, failures, now)):
                    break
            attempt = member.begin(call, tokens, now) or await member.begin_asking(call, tokens)
            if attempt is None:
                plan = plan.without(member)
                continue
            try:
                response = await self._ask(member, call, attempt, left, failures)
            except Failed as error:
                if failures or plan.left_out:
                    error.headers = (*error.headers, *self._spillover(call, plan, failures, member))
                raise
            if response is not None:
                headers = [(name, response.headers[name]) for name in response.headers if name in _PASSED]
                if failures or plan.left_out:
                    headers += self._spillover(call, plan, failures, member)
                return Reply(
                    status=response.status,
                    headers=headers,
                    body=response.body,
                    stream=response.stream,
                    length=_length(call, response),
                    in_responses=call.responses is not None and member.backend.responses,
                )
        raise self._no_answer(call, plan, failures, tokens)

    async def _ask(
        self, member: Member, call: Call, attempt: Attempt, left: float, failures: Failures
    ) -> Response | None:
        """The answer that begins; None with one more failure, after which another backend may be asked.

        Raises every other failure.
        """
        backend = member.backend
        try:
            request = backend.provider.request(call, backend.model)
            if request.timeouts.total > left:
                request = _within(request, left)
            response = await backend.sender.send(request)
            if response.status != _OK or not _is_in_form(call, response):
                await _refuse(response, backend)
        except Failed as error:
            failure = _as_told(error, backend)
            member.failed(call, attempt, failure, self._now())
            self._meter.attempt(backend.name, failure.code)
            if not failure.retry_elsewhere:
                raise failure from failure.__cause__  # mostly the same error, whose cause must not be itself
            failures.append((member, failure))
            return None
        except BaseException as error:
            member.let_go(attempt, _outcome(error), self._now())
            raise
        member.answered(call, attempt, response, self._now())
        self._meter.attempt(backend.name, "ok")
        return response

    def _time_left(self, call: Call, now: float) -> float:
        """Seconds until the deadline, which is one for all tries of a call."""
        return call.record.attempts[0].began + self._deadline - now

    def _may_go_on(self, call: Call, failures: Failures, now: float) -> bool:
        """Whether one more backend may be asked. Who was never connected to was given no work: that costs no budget."""
        if len(failures) >= (self._retries.attempts or len(self._pool.members)):
            return False
        failed = failures[-1][1]
        if isinstance(failed, Unreachable | TimedOut):
            return True
        allowed = self._budget.take(now)
        self._pool.meter.retried(allowed=allowed)
        if not allowed:
            call.record.say("routing", "No other backend was asked: there were too many retries in the last seconds.")
        return allowed

    def _spillover(self, call: Call, plan: Plan, failures: Failures, served: Member) -> Sequence[Header]:
        """What the service says of a call that went to another priority because the first one was busy or ill."""
        explain(call, plan)
        status = refused_before(plan, failures, served)
        if not status:
            return ()
        self._pool.meter.spilled()
        call.record.say("routing", f"It spilled over to {served.backend.name}: status {status} before.")
        return spillover_headers(self._pool.deployment.name, status)

    def _no_answer(self, call: Call, plan: Plan, failures: Failures, tokens: int) -> Failed:
        """The last failure, or that there was no backend to ask; with the soonest time at which there is one."""
        now, members = self._now(), self._pool.members
        wait = soonest(members, tokens, now)
        if failures:
            last, failed = failures[-1]
            if len(members) > 1:
                asked_for = (each for each in (wait, failed.retry_after) if each is not None)
                failed.retry_after = min(asked_for, default=BUSY_SECONDS)
                failed.headers = (*failed.headers, *self._spillover(call, plan, failures, last))
            elif failed.retry_after is None:
                failed.retry_after = wait
            return failed
        explain(call, plan)
        if call.record.attempts and self._time_left(call, now) <= 0:
            return TimedOut("The call took longer than it may.", phase=TOTAL)
        names = ", ".join(member.backend.name for member in members)
        wait = BUSY_SECONDS if wait is None else wait
        if all(member.is_down(now) for member in members):
            words = "All backends of this deployment are down at the moment. Please retry later."
            return AllDown(words, backend=names, retry_after=wait)
        words = "All backends of this deployment are busy. Please retry later."
        return AllBusy(words, backend=names, retry_after=wait)


def _with_responses(plan: Plan) -> Sequence[Member]:
    """Those that can be asked what chat completions cannot say."""
    return [member for member in plan.order if member.backend.responses]


def _is_in_form(call: Call, response: Response) -> bool:
    """Whether a success came as it was asked for. Sound and pictures pass as they come, in events or not."""
    return call.stream is (response.stream is not None) or call.operation in MEDIA


def _length(call: Call, response: Response) -> int | None:
    """Bytes of an answer of media, where its host says so."""
    if response.stream is None or call.operation not in MEDIA:
        return None
    told = response.headers.get(b"content-length")
    return None if told is None else int(told)


def _outcome(error: BaseException) -> str:
    if isinstance(error, ForehearthError):
        return error.code
    return "internal_error" if isinstance(error, Exception) else "client_left"


def _may_use(call: Call) -> int:
    """Tokens that a call may use: what was reserved for it, else by the length of its body."""
    return call.record.reserved or prompt_tokens(call) + 1


def _within(request: Request, seconds: float) -> Request:
    times = request.timeouts
    times = msgspec.structs.replace(times, connect=min(times.connect, seconds), total=seconds)
    return msgspec.structs.replace(request, timeouts=times)


async def _refuse(response: Response, backend: Backend) -> NoReturn:
    """Raise what is wrong with an answer that is no success, or not in the form that was asked for."""
    if response.stream is not None:
        await response.stream.aclose()
    if response.status != _OK:
        raise openai_errors.read(response.status, response.headers, response.body, backend=backend.name)
    raise Broken("The model's host answered in another form than it was asked for.", backend=backend.name)


def _as_told(error: Failed, backend: Backend) -> Failed:
    """The failure, with the backend's name for the log; a host of our own that broke off is being started again."""
    if isinstance(error, Broken) and backend.restarts:
        words = "The model's host stopped and is being started again."
        restarting = Overloaded(words, backend=backend.name, retry_after=_RESTART_SECONDS)
        restarting.__cause__ = error
        return restarting
    error.backend = error.backend or backend.name
    return error
