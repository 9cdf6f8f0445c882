"""What a job would do and cost, before it is paid: rows and prompts are counted, and a few prompts are asked.

The sample are the prompts whose hashes are the smallest, of all that differ: as good as drawn by chance, and the same
ones when it is planned again, so that they are paid once. What they used gives the range for the rest.
"""

import heapq
import math
import statistics
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec
import numpy as np

from forehearth.accounting.prices import Tariff
from forehearth.core.enrichment_settings import JobLimits
from forehearth.core.money import units
from forehearth.core.usage import Usage
from forehearth.enrichment import columns
from forehearth.enrichment.answers import AnswerCache
from forehearth.enrichment.arrow import pa
from forehearth.enrichment.budget import Spent
from forehearth.enrichment.columns import ERROR
from forehearth.enrichment.enricher import Enricher
from forehearth.enrichment.spec import Spec, prompt_hash

SAMPLE: Final = 20
"""Prompts that are asked, unless somebody wants another number."""
SHOWN: Final = 5
_BYTES_A_TOKEN: Final = (8.0, 2.0)
"""Without a sample: a token has fewer bytes than the first of these, and more than the second."""
_WIDTH: Final = 2.0
"""Standard errors to both sides of a mean, which is right 19 times in 20."""


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """From the least to the most that is likely."""

    low: int
    high: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be expected of a run from where it is. Money is as `core.money` has it."""

    job: str
    fingerprint: str
    source_version: str
    rows: int
    landed: int
    """Rows that have landed already; the figures below are those of the others."""
    empty: int
    """Rows that are not asked about, as they lack a value that the prompt names."""
    prompts: int
    """Prompts that differ."""
    known: int
    """Those of them whose answers were paid for already, by the sample too."""
    sampled: int
    """Prompts that were asked, or known, to tell the rest by."""
    failed: int
    """Those of them without an answer."""
    requests: int
    prompt_tokens: Range
    completion_tokens: Range
    cost: Range | None
    """None where the job has no prices."""
    currency: str = "USD"
    limits: Sequence[str]
    """Limits that are likely to be reached, by their keys."""
    results: Sequence[Mapping[str, Any]]
    """Some rows of the sample, as they would land."""


class Counts:
    """What is found of the prompts of a source, in little memory: eight bytes of each hash, and its length."""

    def __init__(self, sample: int) -> None:
        self.rows = self.empty = self.landed = 0
        self.sample: list[tuple[int, bytes, Any]] = []
        """The smallest hashes, largest first, with their rows."""
        self._most = sample
        self._hashes: list[Any] = []
        self._sizes: list[Any] = []
        self._known: list[Any] = []

    def add(self, batch: Any, hashes: Sequence[bytes | None], prompts: Sequence[str | None], known: set[bytes]) -> None:
        """Take note of a batch's prompts."""
        found = [(each, prompt) for each, prompt in zip(hashes, prompts, strict=True) if each and prompt is not None]
        self.rows += len(hashes)
        self.empty += len(hashes) - len(found)
        self._hashes.append(np.array([int.from_bytes(each[:8]) for each, _ in found], dtype=np.uint64))
        self._sizes.append(np.array([len(prompt.encode("utf-8", "replace")) for _, prompt in found], dtype=np.uint32))
        self._known.append(np.array([each in known for each, _ in found], dtype=np.bool_))
        for at, each in enumerate(hashes):
            if each is not None and self._most:
                self._sample(each, batch, at)

    def _sample(self, prompt: bytes, batch: Any, at: int) -> None:
        rank = -int.from_bytes(prompt[:8])
        full = len(self.sample) >= self._most
        if (full and rank <= self.sample[0][0]) or any(each == prompt for _, each, _ in self.sample):
            return
        # A copy, or the whole batch would be held for one row of it.
        row = batch.take(pa.array([at]))
        (heapq.heappushpop if full else heapq.heappush)(self.sample, (rank, prompt, row))

    def summed(self) -> tuple[int, int, int]:
        """Prompts that differ, those that are known, and the bytes of the others."""
        if not self._hashes:
            return 0, 0, 0
        _, first = np.unique(np.concatenate(self._hashes), return_index=True)
        known = np.concatenate(self._known)[first]
        sizes = np.concatenate(self._sizes)[first]
        return len(first), int(known.sum()), int(sizes[~known].sum())


async def count(spec: Spec, batches: AsyncIterator[Any], cache: AnswerCache, *, landed: int, sample: int) -> Counts:
    """Count what a source has, but for the rows that have landed, which are the first ones."""
    counts, asked = Counts(sample), spec.asked()
    async for batch in batches:
        skipped = min(landed, batch.num_rows)
        landed -= skipped
        counts.landed += skipped
        rest = batch.slice(skipped)
        prompts = columns.prompts(spec, rest)
        hashes = [None if each is None else prompt_hash(asked, each) for each in prompts]
        known = await cache.find(list({each for each in hashes if each is not None}))
        counts.add(rest, hashes, prompts, set(known))
    return counts


class Sampled(msgspec.Struct, frozen=True, kw_only=True):
    """What the sample used, and how it came out. `usages` are those that the host told of."""

    prompts: int = 0
    failed: int = 0
    new: int = 0
    """Those that were not known before."""
    new_bytes: int = 0
    usages: Sequence[tuple[int, Usage]] = ()
    """Bytes of the prompt, and what it used."""
    results: Sequence[Mapping[str, Any]] = ()


async def ask(
    spec: Spec, counts: Counts, enricher: Enricher, cache: AnswerCache, *, hidden: Collection[str] = ()
) -> Sampled:
    """Ask the sample. Results are without the `hidden` columns. Raises `RunStopped` and `LimitReached`."""
    rows = sorted(counts.sample, key=lambda each: -each[0])
    if not rows:
        return Sampled()
    before = await cache.find([each for _, each, _ in rows])
    batch = pa.Table.from_batches([each for _, _, each in rows]).combine_chunks().to_batches()[0]
    found = await enricher.enrich(batch)
    answers = await cache.find([each for _, each, _ in rows])
    sizes = {each: len(text.encode("utf-8", "replace")) for (_, each, _), text in _texts(spec, batch, rows)}
    used = [(sizes[each], answer.usage) for each, answer in answers.items() if answer.usage is not None]
    new = [each for _, each, _ in rows if each not in before and each in answers]
    return Sampled(
        prompts=len(rows),
        failed=len(found) - found.column(ERROR).null_count,
        new=len(new),
        new_bytes=sum(sizes[each] for each in new),
        usages=used,
        results=found.select([name for name in found.schema.names if name not in hidden]).slice(0, SHOWN).to_pylist(),
    )


def _texts(spec: Spec, batch: Any, rows: Sequence[tuple[int, bytes, Any]]) -> list[tuple[tuple[int, bytes, Any], str]]:
    return [(row, text or "") for row, text in zip(rows, columns.prompts(spec, batch), strict=True)]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the job and its run besides."""

    job: str
    fingerprint: str
    source_version: str
    limits: JobLimits
    spent: Spent
    tariff: Tariff | None


def planned(spec: Spec, counts: Counts, sampled: Sampled, told: Told) -> Plan:
    """What follows from what was counted and asked."""
    prompts, known, size = counts.summed()
    rest = prompts - known - sampled.new
    prompt, completion = expected(sampled, rest, size - sampled.new_bytes, spec.longest)
    cost = priced(told.tariff, prompt, completion)
    return Plan(
        job=told.job,
        fingerprint=told.fingerprint,
        source_version=told.source_version,
        rows=counts.landed + counts.rows,
        landed=counts.landed,
        empty=counts.empty,
        prompts=prompts,
        known=known + sampled.new,
        sampled=sampled.prompts,
        failed=sampled.failed,
        requests=rest,
        prompt_tokens=prompt,
        completion_tokens=completion,
        cost=cost,
        currency="USD" if told.tariff is None else told.tariff.currency,
        limits=reached(told.limits, told.spent, rest, prompt.high + completion.high, cost),
        results=sampled.results,
    )


def expected(sampled: Sampled, prompts: int, size: int, most_output: int) -> tuple[Range, Range]:
    """Tokens of so many prompts that are still to be asked, of `size` bytes together, and of their answers."""
    if not prompts:
        nothing = Range(low=0, high=0)
        return nothing, nothing
    if not sampled.usages:
        few, many = (round(size / bytes_) for bytes_ in _BYTES_A_TOKEN)
        return Range(low=few, high=many), Range(low=min(1, most_output) * prompts, high=prompts * most_output)
    # What a prompt has besides its own text (what the model is told, the schema) is in the host's count, too.
    mean_size = statistics.mean(bytes_ for bytes_, _ in sampled.usages)
    scale = size / prompts / mean_size if mean_size else 1.0
    prompt = _likely([used.prompt for _, used in sampled.usages], prompts)
    completion = _likely([used.completion for _, used in sampled.usages], prompts)
    low, high = sorted((prompt.low * min(scale, 1.0), prompt.high * max(scale, 1.0)))
    most = min(completion.high, prompts * most_output)
    return Range(low=math.floor(low), high=math.ceil(high)), Range(low=min(completion.low, most), high=most)


def _likely(figures: Sequence[int], number: int) -> Range:
    """The sum of so many figures, of which these are some."""
    mean = statistics.mean(figures)
    error = statistics.stdev(figures) / math.sqrt(len(figures)) if len(figures) > 1 else mean
    return Range(
        low=max(0, math.floor((mean - _WIDTH * error) * number)), high=math.ceil((mean + _WIDTH * error) * number)
    )


def priced(tariff: Tariff | None, prompt: Range, completion: Range) -> Range | None:
    """What such tokens cost."""
    if tariff is None:
        return None
    low = tariff.price(Usage(prompt=prompt.low, completion=completion.low))
    high = tariff.price(Usage(prompt=prompt.high, completion=completion.high))
    return None if low is None or high is None else Range(low=low.amount, high=high.amount)


def reached(limits: JobLimits, spent: Spent, requests: int, tokens: int, cost: Range | None) -> list[str]:
    """The limits that the most which is likely would pass, what was used before included."""
    found = []
    if limits.requests is not None and spent.requests + requests > limits.requests:
        found.append("requests")
    if limits.tokens is not None and spent.tokens + tokens > limits.tokens:
        found.append("tokens")
    if limits.usd is not None and cost is not None and spent.cost + cost.high > units(Decimal(limits.usd)):
        found.append("usd")
    return found
