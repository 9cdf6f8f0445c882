"""Puts a question to each text of a column, by the core of enrichment, and says what became of each."""

import asyncio
import inspect
import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from forehearth.core.clock import SystemClock
from forehearth.core.enrichment_settings import JobLimits
from forehearth.core.usage import Usage, together
from forehearth.enrich import hosts
from forehearth.enrich.work import to_the_end
from forehearth.enrichment.answer_schema import Misfit
from forehearth.enrichment.answers import Answer, NoCache, RowError
from forehearth.enrichment.asking import Asker, RunStopped
from forehearth.enrichment.budget import Budget, Spent
from forehearth.enrichment.embedding import asker_of
from forehearth.enrichment.enricher import Enricher
from forehearth.enrichment.gate import Gate
from forehearth.enrichment.spec import Spec
from forehearth.functions.conf import SUGGESTED, Conf, Suggested, session
from forehearth.functions.progress import Bar, bar
from forehearth.functions.questions import Question
from forehearth.functions.results import (
    CapacityExceededResult,
    ExceptionResult,
    FilterResult,
    NonResult,
    NotEvaluatedResult,
)
from forehearth.functions.results import non_result as row_error
from forehearth.functions.stats import Call, Stats

_PACKAGE: Final = __name__.rpartition(".")[0]
_NO_INPUT: Final = NotEvaluatedResult("no_input", "What was to be read has no answer itself.")
_AFTER: Final = NotEvaluatedResult("not_evaluated", "An earlier row failed in a way in which all others would have.")


class RowsFailed(UserWarning):
    """Some rows have no answer. What stands in their cells says why."""


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """A cell for each row: a value, None where there was nothing to ask, or a `NonResult`."""

    cells: Sequence[Any]
    stats: Stats
    failures: Mapping[int, NonResult]

    @property
    def call(self) -> Call:
        """For `stats.remember`."""
        return Call(stats=self.stats, failures=self.failures)


class Heard(msgspec.Struct, kw_only=True):
    """Everything that was answered until the end, or until it was pointless to go on."""

    answers: dict[str, Answer] = {}
    stopped: RunStopped | None = None


class _Listener:
    """An asker that remembers what it heard: also failures, and also of a run that is stopped."""

    def __init__(self, asker: Asker, plain: Asker | None, heard: Heard, shown: Bar) -> None:
        self._asker = asker
        self._plain = plain
        """Asks without what is only suggested; None where nothing is."""
        self._heard = heard
        self._shown = shown

    @property
    def most(self) -> int:
        return self._asker.most

    async def ask(self, prompt: str) -> Answer:
        try:
            answer = await self._asker.ask(prompt)
            if self._plain is not None and answer.error is not None and SUGGESTED in answer.error.message:
                self._asker = self._plain
                answer = await self._asker.ask(prompt)
        except UnicodeEncodeError:
            answer = Answer(error=RowError(code="not_text", message="The text has halves of characters."))
        self._heard.answers[prompt] = answer
        self._shown.step(answer.usage)
        return answer


def ask(question: Question, inputs: Sequence[Any], conf: Conf) -> Answers:
    """The answers to a question about each input: a text, None, or the `NonResult` of an earlier call.

    Raises `TimeoutError` after the seconds of `conf`, and `Misconfigured` where there is nobody to ask.
    """
    heard = hear(question, inputs, conf)
    cells = cells_of(question, inputs, heard)
    return finished(question, conf, cells, heard, inputs=inputs, rows=sum(each is not None for each in inputs))


def hear(question: Question, inputs: Sequence[Any], conf: Conf) -> Heard:
    """What is answered to those inputs that are texts, each asked once. Raises as `ask` does."""
    prompts = [each if isinstance(each, str) else None for each in inputs]
    heard = Heard()
    conf.check()
    if any(each is not None for each in prompts):
        to_the_end(_asked(question, prompts, conf, heard))
    return heard


async def _asked(question: Question, prompts: Sequence[str | None], conf: Conf, heard: Heard) -> None:
    clock = SystemClock()
    distinct = len({each for each in prompts if each is not None})
    async with hosts.opened(conf.deployment(question.spec.model), os.environ) as host:
        gate, budget = Gate(conf.concurrency, clock.monotonic), Budget(JobLimits(), Spent(), None, clock.monotonic)

        def asker(spec: Spec) -> Asker:
            return asker_of(spec)(spec, host, gate=gate, budget=budget, clock=clock, patience=conf.patience)

        plain = asker(_plain(question.spec)) if isinstance(conf.reasoning_effort, Suggested) else None
        with bar(question.name, distinct, conf.progress_bar_mode) as shown:
            enricher = Enricher(question.spec, _Listener(asker(question.spec), plain, heard, shown), NoCache())
            try:
                async with asyncio.timeout(conf.timeout):
                    await enricher.answer(prompts)
            except RunStopped as stopped:
                heard.stopped = stopped
            except TimeoutError:
                raise TimeoutError(f"ai.{question.name} did not end within {conf.timeout:g} s") from None


def _plain(spec: Spec) -> Spec:
    """The same, without the effort of reasoning."""
    return msgspec.structs.replace(spec, options={k: v for k, v in spec.options.items() if k != SUGGESTED})


def cells_of(question: Question, inputs: Sequence[Any], heard: Heard) -> list[Any]:
    """What stands in each row. A prompt that many rows have has one answer, read once."""
    unasked = _reasons(heard.stopped)
    known: dict[str, Any] = {}
    cells: list[Any] = []
    for each in inputs:
        if isinstance(each, str):
            if each not in known:
                answer = heard.answers.get(each)
                known[each] = next(unasked) if answer is None else _cell(question, answer)
            cells.append(known[each])
        else:
            cells.append(_NO_INPUT if isinstance(each, NonResult) else None)
    return cells


def _cell(question: Question, answer: Answer) -> Any:
    if answer.error is not None:
        return row_error(answer.error.code, answer.error.message)
    try:
        return question.read(answer.text or "")
    except Misfit as misfit:
        return ExceptionResult("invalid_output", f"The answer cannot be used: {misfit}.")


def _reasons(stopped: RunStopped | None) -> Iterator[NonResult]:
    """Why prompts were not answered: the first of them has the reason, those after it were not asked because of it."""
    why = str(stopped or "the run ended before")
    if stopped is None or not stopped.busy:
        yield ExceptionResult("stopped", why)
    kind = CapacityExceededResult("busy", why) if stopped is not None and stopped.busy else _AFTER
    while True:
        yield kind


def finished(
    question: Question, conf: Conf, cells: Sequence[Any], heard: Heard, *, inputs: Sequence[Any], rows: int
) -> Answers:
    """The cells with what they used, and how they fared; a warning where some have no answer.

    `rows` is how many of them were to have one.
    """
    failures = {at: each for at, each in enumerate(cells) if isinstance(each, NonResult)}
    if failures:
        _warn(question.name, len(cells), failures)
    used: Usage | None = None
    for answer in heard.answers.values():
        used = together(used, answer.usage)
    used = used or Usage(prompt=0)
    asked = sum(isinstance(each, str) for each in inputs)
    unevaluated = sum(isinstance(each, NotEvaluatedResult) for each in failures.values())
    harmful = sum(isinstance(each, FilterResult) for each in failures.values())
    stats = Stats(
        num_successful=rows - len(failures),
        num_exceptions=len(failures) - unevaluated - harmful,
        num_unevaluated=unevaluated,
        num_harmful=harmful,
        cached_tokens=used.cached,
        input_tokens=used.prompt,
        output_tokens=used.completion,
        reasoning_tokens=used.reasoning,
        client_type="forehearth" if conf.client is None and session.client is None else "custom",
        input_types=json.dumps({"text": asked} if asked else {}),
        model=question.spec.model,
    )
    return Answers(cells=cells, stats=stats, failures=failures)


def _warn(name: str, rows: int, failures: Mapping[int, NonResult]) -> None:
    first = next(iter(failures))
    told = f"ai.{name}: {len(failures):,} of {rows:,} rows have no answer; the first, row {first}: {failures[first]}"
    warnings.warn(told, RowsFailed, stacklevel=_depth())


def _depth() -> int:
    """How far away the line is that called a function: the first one outside of this package."""
    depth, frame = 0, inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith(_PACKAGE):
        depth, frame = depth + 1, frame.f_back
    return depth
