"""Embeddings on the pinned weights, through the host's door."""

import asyncio
import base64
import math
import struct
from typing import Any

import pytest

from forehearth.embedded.host import EmbeddedHost
from tests.integration.embedded.conftest import EMBEDDINGS
from tests.unit.embedded.fake_engine import parsed, post

pytestmark = [pytest.mark.models, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

CAT, KITTEN, BANK = "A cat sits on the mat.", "A kitten is resting on a rug.", "The bank raised its interest rates."


async def embed(host: EmbeddedHost, given: Any, **members: Any) -> Any:
    return parsed(await post(host, "/v1/embeddings", {"model": EMBEDDINGS, "input": given, **members}))


def likeness(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


async def test_what_is_related_is_nearer(host: EmbeddedHost) -> None:
    body = await embed(host, [CAT, KITTEN, BANK])
    cat, kitten, bank = [entry["embedding"] for entry in body["data"]]
    assert len(cat) == 384
    assert math.isclose(likeness(cat, cat), 1, abs_tol=1e-4)
    assert likeness(cat, kitten) > 0.4
    assert likeness(cat, bank) < 0.2


async def test_a_text_has_one_vector_alone_or_among_others(host: EmbeddedHost) -> None:
    alone = (await embed(host, CAT))["data"][0]["embedding"]
    among = (await embed(host, ["x " * 300, CAT, *([BANK] * 40)]))["data"][1]["embedding"]
    assert likeness(alone, among) > 0.99


async def test_base64_has_the_same_numbers(host: EmbeddedHost) -> None:
    numbers = (await embed(host, CAT))["data"][0]["embedding"]
    packed = (await embed(host, CAT, encoding_format="base64"))["data"][0]["embedding"]
    assert list(struct.unpack("<384f", base64.b64decode(packed))) == numbers


async def test_tokens_mean_the_same_as_their_text(host: EmbeddedHost) -> None:
    hello = (await embed(host, "hello world"))["data"][0]["embedding"]
    for tokens in ([7592, 2088], [101, 7592, 2088, 102]):
        body = await embed(host, tokens)
        assert body["data"][0]["embedding"] == hello
        assert body["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
    assert len((await embed(host, [[7592], [2088, 2088]]))["data"]) == 2


async def test_foreign_tokens_and_long_texts_are_refused(host: EmbeddedHost) -> None:
    assert (await embed(host, [99_999]))["error"]["param"] == "input[0]"
    fits = await embed(host, "word " * 510)
    assert fits["usage"]["prompt_tokens"] == 512
    error = (await embed(host, ["short", "word " * 511]))["error"]
    assert (error["code"], error["param"]) == ("context_length_exceeded", "input")
    assert "input[1] has 513 tokens" in error["message"]


async def test_many_at_once_come_back_in_order(host: EmbeddedHost) -> None:
    texts = [f"number {at} " * (1 + at % 7) for at in range(100)]
    together = (await embed(host, texts))["data"]
    apart = await asyncio.gather(*(embed(host, text) for text in texts[::25]))
    for at, body in zip(range(0, 100, 25), apart, strict=True):
        assert likeness(together[at]["embedding"], body["data"][0]["embedding"]) > 0.99
