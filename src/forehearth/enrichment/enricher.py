"""The core: rows in, the same rows with their answers out. Identical prompts are asked once."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from forehearth.enrichment import columns
from forehearth.enrichment.answers import Answer, AnswerCache
from forehearth.enrichment.columns import Label
from forehearth.enrichment.spec import Spec, prompt_hash

_KEEP_EVERY: Final = 0.25
"""Seconds after which answers are kept at the latest: what the death of a process can make to be paid again."""
_KEEP_AT: Final = 32
"""Answers that are kept together."""


class Asking(Protocol):
    """Who is asked one prompt after another, such as `asking.Asker`."""

    @property
    def most(self) -> int:
        """How many prompts can be asked at the same time."""
        ...

    async def ask(self, prompt: str) -> Answer:
        """What became of it. Raises `RunStopped` and `LimitReached`."""
        ...


class Enricher:
    """Enriches batches, several at a time where it is asked to."""

    def __init__(self, spec: Spec, asker: Asking, cache: AnswerCache, label: Label | None = None) -> None:
        self._spec = spec
        self._asked = spec.asked()
        self._asker = asker
        self._cache = cache
        self._label = label or Label()
        self._pending: dict[bytes, asyncio.Future[Answer]] = {}
        """Prompts that are being looked up or asked now, by whichever batch came first."""
        self._unkept: dict[bytes, Answer] = {}
        self._turn = asyncio.Lock()
        self.reused = 0
        """Rows whose answer was there already, from another row or an earlier run."""

    async def enrich(self, batch: Any) -> Any:
        """The rows of a `RecordBatch`, with their answers beside them and in the order in which they came.

        Raises `RunStopped` and `LimitReached`; what was answered until then is kept.
        """
        hashes, answers = await self.answer(columns.prompts(self._spec, batch))
        return columns.enriched(self._spec, batch, hashes, answers, self._label)

    async def answer(self, prompts: Sequence[str | None]) -> tuple[list[bytes | None], dict[bytes, Answer]]:
        """The hash of each prompt, None where there is none, and the answers by these. Raises as `enrich` does."""
        hashes = [None if each is None else prompt_hash(self._asked, each) for each in prompts]
        wanted = {each: prompt for each, prompt in zip(hashes, prompts, strict=True) if each and prompt is not None}
        answers = await self._answers(wanted)
        self.reused += len(hashes) - hashes.count(None) - len(wanted)
        return hashes, answers

    async def _answers(self, wanted: Mapping[bytes, str]) -> dict[bytes, Answer]:
        """The answers to these prompts: those of other batches are waited for, all others are claimed first."""
        loop = asyncio.get_running_loop()
        own = [each for each in wanted if each not in self._pending]
        others = {each: self._pending[each] for each in wanted if each in self._pending}
        for each in own:
            self._pending[each] = loop.create_future()
        try:
            answers = await self._own_answers({each: wanted[each] for each in own})
        except BaseException as error:
            self._withdraw(own, error)
            raise
        self._withdraw(own, None)
        for each, future in others.items():
            answers[each] = await asyncio.shield(future)
        self.reused += len(others)
        return answers

    def _withdraw(self, own: Sequence[bytes], error: BaseException | None) -> None:
        """What was claimed is answered, or nobody need wait for it."""
        for each in own:
            future = self._pending.pop(each)
            if error is not None and not future.done():
                future.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
                future.exception()  # whether somebody waits for it or not

    async def _own_answers(self, wanted: Mapping[bytes, str]) -> dict[bytes, Answer]:
        answers = dict(await self._cache.find(list(wanted)))
        self.reused += len(answers)
        for each, answer in answers.items():
            self._pending[each].set_result(answer)
        missing = [each for each in wanted if each not in answers]
        over = asyncio.Event()
        keeping = asyncio.create_task(self._keep_until(over))
        try:
            await self._ask_all(missing, wanted, answers)
        finally:
            over.set()
            await keeping
        return answers

    async def _ask_all(
        self, prompts: Sequence[bytes], wanted: Mapping[bytes, str], answers: dict[bytes, Answer]
    ) -> None:
        """Ask these, as many at a time as may be. Batches take turns, so that the first is the first to be done."""
        left, taken = iter(prompts), asyncio.Event()
        tasks = list[asyncio.Task[None]]()
        try:
            async with self._turn:
                for _ in range(min(len(prompts), self._asker.most)):
                    tasks.append(asyncio.create_task(self._ask_each(left, taken, wanted, answers)))
                if tasks:
                    await taken.wait()
            done = await asyncio.gather(*tasks, return_exceptions=True)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        failure = next((each for each in done if each is not None), None)
        if failure is not None:
            raise failure

    async def _ask_each(
        self,
        prompts: Iterator[bytes],
        taken: asyncio.Event,
        wanted: Mapping[bytes, str],
        answers: dict[bytes, Answer],
    ) -> None:
        """Ask one after another, beside others who take theirs from the same ones."""
        try:
            for prompt in prompts:
                answer = answers[prompt] = await self._asker.ask(wanted[prompt])
                self._pending[prompt].set_result(answer)
                if answer.text is not None:
                    self._unkept[prompt] = answer
                    if len(self._unkept) >= _KEEP_AT:
                        await self._keep()
        finally:
            taken.set()

    async def _keep(self) -> None:
        kept, self._unkept = self._unkept, {}
        await self._cache.keep(kept)

    async def _keep_until(self, answered: asyncio.Event) -> None:
        while not answered.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_KEEP_EVERY):
                    await answered.wait()
            await self._keep()
