"""Batches of rows: what is asked once, what columns come out, how many calls are made at a time."""

import asyncio

import pyarrow as pa
import pytest

from forehearth.core.clock import SystemClock
from forehearth.core.errors import Misconfigured
from forehearth.enrichment import columns
from forehearth.enrichment.answer_schema import AnswerSchema
from forehearth.enrichment.answers import NoCache
from forehearth.enrichment.asking import RunStopped
from forehearth.enrichment.columns import Label
from forehearth.enrichment.enricher import Enricher
from forehearth.enrichment.gate import Gate
from forehearth.enrichment.source import chunks
from forehearth.enrichment.template import Template
from tests.unit.enrichment.hosts import SCHEMA, FakeHost, asker, refusing, spec


class Memory:
    """A cache that remembers."""

    def __init__(self):
        self.kept = {}

    async def find(self, prompts):
        return {each: self.kept[each] for each in prompts if each in self.kept}

    async def keep(self, answers):
        self.kept.update(answers)


def enricher(host, question, cache=None, **more):
    return Enricher(question, asker(host, question, **more), cache or NoCache(), Label(spec="s", run_id="r"))


def table(**rows):
    return pa.RecordBatch.from_pydict(rows)


async def test_rows_keep_their_order_and_identical_prompts_are_asked_once():
    host = FakeHost(lambda prompt: f"re {prompt}")
    rows = table(id=list(range(6)), text=["a", "b", "a", None, "b", "a"])
    found = await enricher(host, spec(columns=("model", "usage", "prompt_hash", "spec", "run_id", "time"))).enrich(rows)
    assert sorted(host.prompts) == ["a", "b"]
    assert found.column("answer").to_pylist() == ["re a", "re b", "re a", None, "re b", "re a"]
    assert found.schema.names == [
        "id", "text", "answer", "_model", "_usage", "_prompt_hash", "_spec", "_run_id", "_time", "_error"
    ]  # fmt: skip
    first, fourth = found.slice(0, 1).to_pylist()[0], found.slice(3, 1).to_pylist()[0]
    assert first["_usage"] == {"prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 0, "reasoning_tokens": 0}
    assert (first["_model"], first["_spec"], first["_run_id"], first["_error"]) == ("m-2", "s", "r", None)
    assert (fourth["_model"], fourth["_usage"], fourth["_prompt_hash"], fourth["_error"]) == (None, None, None, None)


async def test_a_schema_gives_typed_columns_and_errors_are_data():
    host = FakeHost(lambda prompt: refusing(400, "too_long") if prompt == "bad" else f'{{"n": {len(prompt)}}}')
    question = spec(schema=AnswerSchema(SCHEMA))
    found = await enricher(host, question).enrich(table(text=["ab", "bad", "c"]))
    assert found.column("n").type == pa.int64()
    assert found.column("n").to_pylist() == [2, None, 1]
    assert [each and each["code"] for each in found.column("_error").to_pylist()] == [None, "too_long", None]


async def test_prompts_of_several_batches_at_once_are_asked_once():
    host = FakeHost(str.upper, pause=0.01)
    cache = Memory()
    work = enricher(host, spec(), cache)
    found = await asyncio.gather(*(work.enrich(table(text=["a", "b"])) for _ in range(5)))
    assert all(each.column("answer").to_pylist() == ["A", "B"] for each in found)
    assert sorted(host.prompts) == ["a", "b"]
    assert (work.reused, len(cache.kept)) == (8, 2)
    again = enricher(host, spec(), cache)
    await again.enrich(table(text=["b"]))
    assert (len(host.prompts), again.reused) == (2, 1)


async def test_another_question_has_other_answers():
    host, cache = FakeHost(str.upper), Memory()
    await enricher(host, spec(), cache).enrich(table(text=["a"]))
    await enricher(host, spec(system="Shout."), cache).enrich(table(text=["a"]))
    assert len(host.prompts) == 2


async def test_what_was_answered_before_the_end_is_kept():
    host = FakeHost(lambda prompt: refusing(401) if prompt == "last" else prompt)
    cache = Memory()
    with pytest.raises(RunStopped):
        await enricher(host, spec(), cache).enrich(table(text=["a", "b", "c", "last"]))
    assert {each.text for each in cache.kept.values()} == {"a", "b", "c"}


async def test_values_are_written_as_text():
    host = FakeHost(lambda prompt: prompt)
    question = spec(template=Template("{n} {f} {b} {l} {s}"))
    rows = table(n=[1], f=[0.5], b=[True], l=[["ä"]], s=[{"k": 1}])
    found = await enricher(host, question).enrich(rows)
    assert found.column("answer").to_pylist() == ['1 0.5 true ["ä"] {"k": 1}']


@pytest.mark.parametrize(
    ("schema", "says"),
    [({"texts": pa.string()}, "no column 'text'"), ({"text": pa.string(), "answer": pa.string()}, "'answer' already")],
)
def test_a_table_that_does_not_fit_is_refused(schema, says):
    with pytest.raises(Misconfigured, match=says):
        columns.check(spec(), pa.schema(schema))


async def test_calls_at_the_same_time_grow_up_to_the_most():
    host = FakeHost(str.upper, pause=0.002)
    await enricher(host, spec(), gate=Gate(16, SystemClock().monotonic)).enrich(table(text=list(map(str, range(300)))))
    assert host.most == 16


async def test_a_busy_host_is_asked_less():
    busy = iter([True] * 3)
    host = FakeHost(lambda p: refusing(429, retry_after="0.05") if next(busy, False) else p, pause=0.001)
    gate = Gate(64, SystemClock().monotonic)
    found = await enricher(host, spec(), gate=gate).enrich(table(text=list(map(str, range(40)))))
    assert found.column("answer").null_count == 0
    assert gate.limit < 16


def test_chunks_have_their_size_whatever_comes_in():
    rows = pa.RecordBatch.from_pydict({"n": list(range(23))})
    batches = iter([rows.slice(0, 1), rows.slice(1, 0), rows.slice(1, 14), rows.slice(15)])
    found = [each.column("n").to_pylist() for each in chunks(batches, 5)]
    assert [len(each) for each in found] == [5, 5, 5, 5, 3]
    assert [each for some in found for each in some] == list(range(23))
    assert list(chunks(iter([]), 5)) == []
