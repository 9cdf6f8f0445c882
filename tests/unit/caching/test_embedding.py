"""Vectors from a deployment: the call that asks for one, and what happens when there is none."""

import asyncio
import json

import pytest

from forehearth.caching.embedding import DeploymentEmbedder
from forehearth.core.call import Call, Operation
from forehearth.core.errors import Broken, Overloaded, TimedOut
from forehearth.core.exchange import Reply
from forehearth.core.record import CallRecord
from forehearth.testing.clock import VirtualClock
from tests.unit.caching.calls import call, chat


class Model:
    """Answers with `body`, after waiting for what is in `late`."""

    def __init__(self, body: bytes = b'{"data": [{"embedding": [1, 2.5]}], "usage": {}}') -> None:
        self.body = body
        self.calls: list[Call] = []
        self.late: asyncio.Event | None = None
        self.ended: list[CallRecord] = []

    async def __call__(self, asked: Call) -> Reply:
        self.calls.append(asked)
        asked.record.at_end(self.ended.append)
        if self.late is not None:
            await self.late.wait()
        return Reply(status=200, body=self.body)


def embedder(model: Model, clock: VirtualClock | None = None) -> DeploymentEmbedder:
    return DeploymentEmbedder("vectors", model, clock or VirtualClock(), seconds=0.01)


async def test_a_vector_is_asked_of_the_deployment_and_not_booked_on_the_caller():
    model = Model()
    asking = call(chat("Hello?", stream=True), headers={b"api-key": b"secret"}, forward={b"traceparent": b"t"})
    assert list(await embedder(model).embed("Hello?", asking)) == [1.0, 2.5]
    (asked,) = model.calls
    assert json.loads(asked.body) == {"model": "vectors", "input": ["Hello?"]}
    assert (asked.operation, asked.name, asked.stream) == (Operation.EMBEDDINGS, "vectors", False)
    assert asked.record is not asking.record
    assert model.ended == [asked.record]
    assert (asked.headers, asked.forward) == ({}, {})


@pytest.mark.parametrize("body", [b"no json", b"{}", b'{"data": []}', b'{"data": [{"embedding": "AAAA"}]}'])
async def test_what_is_no_vector_is_said(body):
    with pytest.raises(Broken):
        await embedder(Model(body)).embed("Hello?", call())


async def test_a_slow_model_is_not_waited_for_and_then_left_alone_for_a_while():
    model, clock = Model(), VirtualClock()
    model.late = asyncio.Event()
    asked = embedder(model, clock)
    with pytest.raises(TimedOut):
        await asked.embed("Hello?", call())
    with pytest.raises(Overloaded):
        await asked.embed("Hello?", call())
    assert len(model.calls) == len(model.ended) == 1
    model.late = None
    await clock.advance(3.0)
    assert await asked.embed("Hello?", call())
