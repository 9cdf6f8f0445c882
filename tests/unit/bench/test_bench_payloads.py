import json
import struct

import pytest

from bench import payloads


@pytest.mark.parametrize("model", ["bench", "tensorzero::model_name::bench"])
@pytest.mark.parametrize("stream", [None, *payloads.STREAMS], ids=["call", "10", "102"])
def test_every_request_has_the_same_length_and_says_what_it_wants(model, stream):
    body = payloads.request_body(model, stream)
    asked = json.loads(body)
    assert len(body) == 1_078
    assert asked["model"] == model
    assert asked.get("stream", False) is (stream is not None)
    assert (payloads.SLOW_DRIP in asked["messages"][0]["content"]) is (stream is payloads.MANY_WRITES)


def test_the_reply_has_its_length_and_its_marker():
    head, _, body = payloads.call_response().partition(b"\r\n\r\n")
    assert len(body) == 757
    assert b"content-length: 757" in head
    assert payloads.MARKER in json.loads(body)["choices"][0]["message"]["content"]


@pytest.mark.parametrize("stream", payloads.STREAMS, ids=lambda stream: stream.name)
def test_a_script_has_its_writes_and_every_event_once(stream):
    script = payloads.script(stream)
    assert struct.unpack_from("<I", script)[0] == stream.pause_us
    at, writes = 4, []
    while at < len(script):
        length = struct.unpack_from("<I", script, at)[0]
        writes.append(script[at + 4 : at + 4 + length])
        at += 4 + length
    assert len(writes) == stream.writes
    whole = b"".join(writes)
    assert whole.count(b"data: ") == payloads.EVENTS == 102
    assert whole.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
