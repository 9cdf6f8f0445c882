"""What answers of media used: noted where it is reported, once, and not made up where it is not."""

import json
from typing import Any

import pytest

from forehearth.core.call import Call, Operation
from forehearth.core.errors import Broken
from forehearth.core.exchange import Reply, Stream
from forehearth.core.record import Attempt
from forehearth.core.usage import Usage
from forehearth.policies.usage import CountUsage
from tests.unit.doors import Counts, principal, streamed

REPORT = json.dumps({"text": "Hi.", "usage": {"input_tokens": 3, "output_tokens": 2}}).encode()
USED = Usage(prompt=3, completion=2)


def call() -> Call:
    made = Call(
        request_id="1",
        surface="openai_v1",
        operation=Operation.TRANSCRIPTIONS,
        name="heard",
        body=b"",
        choices=0,
        principal=principal(),
        started=0.0,
    )
    made.record.attempts.append(Attempt(backend="one", began=0.0))
    return made


async def asked(reply: Reply) -> tuple[Call, Reply, Counts]:
    made, counts = call(), Counts()

    async def proceed(given: Call) -> Reply:
        assert given is made  # nothing is put into its body
        return reply

    return made, await CountUsage("heard", counts)(made, proceed), counts


def stream_of(*pieces: Any) -> Reply:
    return Reply(status=200, stream=streamed(*pieces).stream)


async def read(stream: Stream | None) -> bytes:
    assert stream is not None
    return b"".join([piece async for piece in stream])


async def test_it_is_noted_from_a_whole_answer() -> None:
    made, _, counts = await asked(Reply(status=200, body=REPORT))
    assert made.record.usage == made.record.attempts[0].usage == USED
    assert counts.usages == [("heard", USED)]


async def test_it_is_noted_when_a_stream_ends_and_no_byte_is_changed() -> None:
    made, reply, counts = await asked(stream_of(REPORT[:20], REPORT[20:]))
    assert await read(reply.stream) == REPORT
    assert reply.stream is not None
    await reply.stream.aclose()
    assert (made.record.usage, made.record.cut, counts.usages) == (USED, False, [("heard", USED)])


@pytest.mark.parametrize("body", [b"\0" * 100, b'{"text": "Hi.", "usage": {"type": "duration", "seconds": 2}}'])
async def test_nothing_is_made_up(body: bytes) -> None:
    made, reply, counts = await asked(stream_of(body))
    assert await read(reply.stream) == body
    assert (made.record.usage, counts.usages) == (None, [])
    assert made.record.words == [("usage", "The backend reported no tokens.")]


async def test_an_answer_that_breaks_off_or_is_left_is_cut() -> None:
    made, reply, _ = await asked(stream_of(b"RIFF", Broken("as the test asked")))
    with pytest.raises(Broken):
        await read(reply.stream)
    assert made.record.cut
    made, reply, _ = await asked(stream_of(REPORT, b"more"))
    assert reply.stream is not None
    assert await anext(reply.stream) == REPORT
    await reply.stream.aclose()
    assert (made.record.cut, made.record.usage) == (True, USED)
