"""Asking for vectors: what is sent, and the two ways in which hosts write a vector."""

import base64
import json
import struct

import pytest

from forehearth.core.clock import SystemClock
from forehearth.core.enrichment_settings import JobLimits
from forehearth.core.upstream import Origin, Request, Response
from forehearth.enrichment.asking import Host
from forehearth.enrichment.budget import Budget, Spent
from forehearth.enrichment.embedding import EmbeddingAsker
from forehearth.enrichment.gate import Gate
from tests.unit.enrichment.hosts import refusing, spec

PACKED = base64.b64encode(struct.pack("<2f", 0.5, -1)).decode()


class Vectors:
    """A provider and a sender in one, with one answer."""

    def __init__(self, said: Response) -> None:
        self.calls = []
        self._said = said

    def request(self, call, model):
        self.calls.append((call.operation, json.loads(call.body)))
        return Request(origin=Origin(scheme="http", host="host"), target=b"/", body=call.body)

    async def send(self, request):
        return self._said


def giving(*vectors, **more):
    data = [{"index": at, "embedding": each} for at, each in enumerate(vectors)]
    return Response(status=200, body=json.dumps({"data": data, "model": "m-2"} | more).encode())


async def answer(said, **options):
    host, clock = Vectors(said), SystemClock()
    budget = Budget(JobLimits(), Spent(), None, clock.monotonic)
    asker = EmbeddingAsker(
        spec(embeds=True, **options), Host(provider=host, sender=host), gate=Gate(1, clock.monotonic),
        budget=budget, clock=clock,
        retries=0,
    )  # fmt: skip
    return host, await asker.ask("Ü")


async def test_what_is_sent():
    host, found = await answer(giving(PACKED, usage={"prompt_tokens": 3, "total_tokens": 3}), options={"dimensions": 2})
    body = {"model": "m", "encoding_format": "base64", "dimensions": 2, "input": "Ü"}
    assert host.calls == [("embeddings", body)]
    assert (found.text, found.model, found.usage.prompt) == (PACKED, "m-2", 3)


async def test_a_host_that_writes_numbers_is_read_too():
    _, found = await answer(giving([0.5, -1]))
    assert found.text == PACKED


async def test_a_refusal_is_the_row_s():
    _, found = await answer(refusing(400, "context_length_exceeded", "Too long."))
    assert (found.text, found.error.code) == (None, "context_length_exceeded")


UNREADABLE = [
    giving(),
    giving(PACKED, PACKED),
    giving(""),
    giving([]),
    giving("AAA="),
    giving("no base64"),
    giving([1e300]),
    Response(status=200, body=b'{"object": "list"}'),
]


@pytest.mark.parametrize("said", UNREADABLE)
async def test_what_is_not_one_vector_is_a_failure_of_the_host(said):
    _, found = await answer(said)
    assert (found.error.code, found.error.message) == (
        "host_failed",
        "The model's host sent a body that is no answer to embeddings.",
    )
