"""Requests that a scripted host cannot read are answered as a real host answers them, and counted by nobody."""

import base64
import json
import math
import struct

import pytest

from forehearth.core.errors import Refused
from forehearth.transport.scripted import question
from tests.unit.dice import by_dice

USER = {"role": "user", "content": "x"}


@pytest.mark.parametrize(
    ("operation", "body", "status", "code", "param"),
    [
        ("chat/completions", b"{", 400, "malformed_body", None),
        ("chat/completions", b"", 400, "malformed_body", None),
        ("chat/completions", b'{"messages":[{"role":"user","content":"\xff"}]}', 400, "malformed_body", None),
        ("chat/completions", b'{"messages":' + b"[" * 9_999 + b"]" * 9_999 + b"}", 400, "malformed_body", None),
        ("chat/completions", [], 400, "invalid_value", None),
        ("chat/completions", {}, 400, "invalid_value", "messages"),
        ("chat/completions", {"messages": None}, 400, "invalid_value", "messages"),
        ("chat/completions", {"messages": []}, 400, "invalid_value", "messages"),
        ("chat/completions", {"messages": [{"content": "x"}]}, 400, "invalid_value", "messages"),
        ("chat/completions", {"messages": [USER], "n": 0}, 400, "invalid_value", None),
        ("chat/completions", {"messages": [USER], "n": 129}, 400, "invalid_value", None),
        ("chat/completions", {"messages": [USER], "max_tokens": -1}, 400, "invalid_value", None),
        ("chat/completions", {"messages": [USER], "stop": 7}, 400, "invalid_value", None),
        ("completions", {"prompt": []}, 400, "invalid_value", "prompt"),
        ("completions", {"prompt": ["a", 1]}, 400, "invalid_value", "prompt"),
        ("embeddings", {"prompt": "a"}, 400, "invalid_value", "input"),
        ("embeddings", {"input": ["a"] * 2_049}, 400, "invalid_value", "input"),
        ("embeddings", {"input": "a", "dimensions": 0}, 400, "invalid_value", None),
        ("embeddings", {"input": "a", "dimensions": 99_999}, 400, "invalid_value", None),
        ("embeddings", {"input": ["a"] * 300, "dimensions": 16_384}, 400, "invalid_value", "input"),
        ("embeddings", {"input": "a", "encoding_format": "int8"}, 400, "invalid_value", None),
        ("chat/completions", b'{"messages":[{"role":"user","content":"\\ud800"}]}', 400, "malformed_body", None),
        ("responses", {"input": "a"}, 404, "not_found", None),
        ("chat/completions/", {"messages": [USER]}, 404, "not_found", None),
    ],
)
async def test_what_cannot_be_read_is_an_error_that_says_so(host, operation, body, status, code, param):
    one = host({"when": {"first": 1}, "answer": "first"}, {"answer": "later"})
    response = await one.post(operation, body)
    assert response.status == status
    assert response.stream is None
    error = json.loads(response.body)["error"]
    assert (error["code"], error["param"], error["type"]) == (code, param, "invalid_request_error")
    assert error["message"]
    assert await one.say() == "first"


async def test_members_that_mean_nothing_here_are_accepted(host):
    nulls = dict.fromkeys(["n", "stop", "stream", "stream_options", "max_tokens", "tools", "response_format"])
    assert await host().say("x", **nulls) == "x"
    extra = {"tools": [{}], "logprobs": True, "response_format": {"type": "json_object"}, "user": "u", "metadata": {}}
    assert await host().say("x", **extra) == "x"
    response = await host().post("chat/completions?api-version=1", {"model": "m", "messages": [USER]})
    assert response.status == 200


async def test_embeddings_are_unit_vectors_that_repeat(host):
    one = host()
    answer = await one.embed(["one", "two", "one"])
    first, second, third = (item.embedding for item in answer.data)
    assert [item.index for item in answer.data] == [0, 1, 2]
    assert first == third != second
    assert len(first) == 1536
    assert math.isclose(math.hypot(*first), 1, abs_tol=1e-5)
    assert abs(sum(a * b for a, b in zip(first, second, strict=True))) < 0.2
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (3, 3)
    assert (await host().embed("one")).data[0].embedding == first


async def test_embeddings_have_the_length_asked_for_and_either_form(host):
    one = host(dimensions=7)
    assert len((await one.embed("a")).data[0].embedding) == 7
    floats = (await one.embed("a", dimensions=3)).data[0].embedding
    body = {"model": "m", "input": "a", "dimensions": 3, "encoding_format": "base64"}
    packed = json.loads((await one.post("embeddings", body)).body)["data"][0]["embedding"]
    assert list(struct.unpack("<3f", base64.b64decode(packed))) == floats
    tokens = await one.embed([[5, 2**70], [7]])
    assert (len(tokens.data), tokens.usage.prompt_tokens) == (2, 3)


async def test_embeddings_take_rules_for_usage_headers_and_errors(host):
    one = host(
        {"when": {"operation": "embeddings", "first": 1}, "status": 503, "retry_after": 1.5},
        {"when": {"operation": "embeddings"}, "usage": {"prompt": 40}, "headers": {"X-Region": "here"}},
    )
    refused = await one.post("embeddings", {"model": "m", "input": "a"})
    assert (refused.status, refused.headers[b"retry-after"], refused.headers[b"retry-after-ms"]) == (503, b"2", b"1500")
    taken = await one.post("embeddings", {"model": "m", "input": "a"})
    assert taken.headers[b"x-region"] == b"here"
    assert json.loads(taken.body)["usage"] == {"prompt_tokens": 40, "total_tokens": 40}


_TARGETS = [b"/v1/chat/completions", b"/v1/completions", b"/v1/embeddings", b"/v1", b"/"]
_ODD = [
    None, True, 0, 1, -1, 1.5, 2**63, 10**30, "", "x", [], [1], [True], ["x", 1], [["x"]], [[1], "x"], [[]], {}, [{}],
    [USER], [USER, None], {"include_usage": 1}, {"include_usage": True}, [{"role": 1}], [{"role": "user"}],
    [{"role": "user", "content": [{"text": 1}]}], [{"role": "user", "content": [{"text": "x"}, {}]}], "float",
]  # fmt: skip
_MEMBERS = ["model", "messages", "prompt", "input", "n", "stop", "stream", "stream_options", "max_tokens", "dimensions"]


_NEEDED = {"messages": [USER], "prompt": "x", "input": "x"}


def odd_body(dice) -> bytes:
    """A body with up to six odd members, half of them besides those that are needed; or any bytes."""
    if dice.random() < 0.25:
        return dice.randbytes(dice.randrange(13))
    members = {key: dice.choice(_ODD) for key in dice.choices(_MEMBERS, k=dice.choice((0, 1, 2, 6)))}
    return json.dumps(members | (_NEEDED if dice.random() < 0.5 else {})).encode()


@by_dice(read=0.05, refused=0.5)
def test_any_bytes_are_read_or_refused(dice):
    target = dice.choice(_TARGETS)
    body = odd_body(dice)
    try:
        asked = question.read(target, body, 8)
    except Refused as refused:
        message = refused.message
        assert message
        return "refused"
    assert asked.prompt_tokens >= 0
    assert asked.text == "\n".join(asked.texts)
    return "read"
