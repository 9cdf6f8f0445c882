"""What comes back from hosts: bodies and streams untouched, failures told honestly, everything counted."""

import asyncio
import json

import pytest

from forehearth.core.errors import BodyTooLarge, Broken, Overloaded, TimedOut, Unreachable
from forehearth.core.upstream import Response
from forehearth.core.usage import Usage
from tests.unit.doors import KEY, Host, answer, head, streamed

V1 = "/openai/v1/chat/completions"
CHAT = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], "never_heard_of": {"a": [1.0, 2e5]}}
OK = {"id": "x", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}


async def test_unknown_members_survive_byte_for_byte_both_ways(door):
    sent = b'{"messages" :[{"role":"user","content":"\xc3\xa9\\u00e9"}],  "model":\t"chat","zz":1.0e5,"zz2":[ ]}'
    back = b' {"brand_new":{"b": 1.10} ,"choices":[]}\n'
    client = door(answer(back, openai_model="m", set_cookie="s=1", server="theirs"))
    reply = await client.post(V1, sent)
    assert client.host.requests[0].body == sent.replace(b'"chat"', b'"served-model"')
    assert reply.body == back
    assert dict(reply.headers)[b"openai-model"] == b"m"
    assert not {b"set-cookie", b"server"} & dict(reply.headers).keys()


async def test_a_body_that_names_the_hosts_model_already_is_the_very_same(door):
    client = door(answer(OK), model="chat")
    raw = json.dumps(CHAT).encode()
    await client.post(V1, raw)
    assert client.host.requests[0].body is raw


async def test_unknown_events_survive_byte_for_byte(door):
    pieces = (b"event: never.heard.of\r\ndata: {", b'"a":1}\r\n\r\n: comment\n\nid: 7\ndata: [DO', b"NE]\n\n")
    reply = await door(streamed(*pieces)).post(V1, {**CHAT, "stream": True})
    assert b"".join([piece async for piece in reply.stream]) == b"".join(pieces)
    assert dict(reply.headers)[b"content-type"] == b"text/event-stream"


async def test_credentials_of_the_caller_do_not_reach_the_host(door):
    client = door(answer(OK))
    await client.post(
        V1, CHAT, authorization=f"Bearer {KEY}", cookie="a=b", traceparent="00-1-2-01", x_forwarded_for="1"
    )
    sent = dict(client.host.requests[0].headers)
    assert sent == {b"content-type": b"application/json", b"traceparent": b"00-1-2-01"}


async def test_usage_and_outcome_are_counted(door):
    client = door(answer(OK))
    await client.post(V1, CHAT)
    assert client.counts.usages == [("chat", Usage(prompt=3, completion=2))]
    assert client.counts.requests == [("openai_v1", "chat_completions", "chat", 200)]
    assert client.counts.attempts == [("one", "ok")]


async def test_a_streams_usage_is_counted_at_its_end(door):
    client = door(streamed(b"data: {}\n\n", b"data: " + json.dumps(OK).encode() + b"\n\n", b"data: [DONE]\n\n"))
    reply = await client.post(V1, {**CHAT, "stream": True})
    assert client.counts.requests == []
    assert [piece async for piece in reply.stream] == [b"data: {}\n\n", b"data: [DONE]\n\n"]
    assert client.counts.usages == [("chat", Usage(prompt=3, completion=2))]
    assert client.counts.requests == [("openai_v1", "chat_completions", "chat", 200)]
    assert (client.counts.first_bytes, client.counts.in_flight) == (1, 0)


async def test_leaving_a_stream_closes_the_hosts(door):
    closed: list[bool] = []
    client = door(streamed(b"data: 1\n\n", b"data: 2\n\n", closed=closed))
    reply = await client.post(V1, {**CHAT, "stream": True})
    await anext(reply.stream)
    await reply.stream.aclose()
    assert closed == [True]
    assert client.counts.requests == [("openai_v1", "chat_completions", "chat", 499)]


async def test_leaving_before_the_first_piece_closes_the_hosts_stream_too(door):
    client = door(streamed(b"data: 1\n\n"))
    closes: list[bool] = []

    class Held:
        def __aiter__(self):
            return self

        async def __anext__(self):
            return b"data: 1\n\n"

        async def aclose(self):
            closes.append(True)

    client.host.answers = [Response(status=200, headers={}, stream=Held())]
    reply = await client.post(V1, {**CHAT, "stream": True})
    assert client.counts.in_flight == 1
    await reply.stream.aclose()
    await reply.stream.aclose()
    assert closes
    assert client.counts.in_flight == 0
    assert client.counts.requests == [("openai_v1", "chat_completions", "chat", 499)]


async def test_a_stream_that_breaks_says_so_and_then_breaks(door):
    client = door(streamed(b"data: 1\n\n", Broken("cut short")))
    reply = await client.post(V1, {**CHAT, "stream": True})
    assert await anext(reply.stream) == b"data: 1\n\n"
    told = await anext(reply.stream)
    assert json.loads(told.removeprefix(b"data: "))["error"]["message"] == "cut short"
    with pytest.raises(Broken):
        await anext(reply.stream)
    assert client.counts.requests == [("openai_v1", "chat_completions", "chat", 502)]


async def test_a_caller_that_leaves_is_counted(door):
    client = door(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await client.post(V1, CHAT)
    assert client.counts.requests == [("openai_v1", "chat_completions", "chat", 499)]


FAILURES = [
    (Unreachable("cannot be reached"), 503, "ServiceUnavailable", "cannot be reached"),
    (TimedOut("took too long"), 504, "Timeout", "took too long"),
    (Broken("cut short"), 502, "BadGateway", "cut short"),
    (Overloaded("full", retry_after=2.5), 503, "ServiceUnavailable", "full"),
    (answer({"error": {"message": "secret sk-abcdefgh", "code": "x"}}, 401), 502, "BadGateway", "operator"),
    (answer({}, 403), 502, "BadGateway", "operator"),
    (answer({}, 404), 502, "BadGateway", "does not know the model"),
    (
        answer({"error": {"message": "too long", "code": "context_length_exceeded", "param": "messages"}}, 400),
        400,
        "context_length_exceeded",
        "too long",
    ),
    (answer({"error": {"message": "m"}}, 422), 422, "invalid_request", "m"),
    (answer({}, 429, retry_after="7"), 429, "429", "status 429"),
    (answer(b"<html>inner-host.example</html>", 500), 500, "BackendFailed", "status 500"),
    (answer({}, 503, retry_after_ms="1500"), 503, "BackendFailed", "status 503"),
    (answer({}, 529), 502, "BadGateway", "status 529"),
    (answer({}, 301, location="http://inner-host.example/"), 502, "BadGateway", "status 301"),
    (answer({}, 204), 502, "BadGateway", "status 204"),
    (answer(b"{broken"), 502, "BadGateway", "not JSON"),
    (streamed(b"data: x\n\n"), 502, "BadGateway", "another form"),
]


@pytest.mark.parametrize(("failure", "status", "code", "text"), FAILURES)
async def test_failures_of_a_host_are_told_without_its_words(door, failure, status, code, text):
    reply = await door(failure).post(V1, CHAT)
    error = json.loads(reply.body)["error"]
    assert (reply.status, error["code"]) == (status, code)
    assert text in error["message"]
    for forbidden in (b"inner-host", b"sk-abc", b"html", KEY.encode(), b"Traceback"):
        assert forbidden not in reply.body + repr(reply.headers).encode()


async def test_how_long_to_wait_is_told_in_both_forms(door):
    reply = await door(Overloaded("full", retry_after=2.5)).post(V1, CHAT)
    assert dict(reply.headers)[b"retry-after-ms"] == b"2500"
    assert dict(reply.headers)[b"retry-after"] == b"3"


async def test_a_whole_answer_to_a_call_for_a_stream_is_broken(door):
    reply = await door(answer(OK)).post(V1, {**CHAT, "stream": True})
    assert reply.status == 502


async def test_an_internal_error_shows_nothing_of_itself(door, caplog):
    reply = await door(RuntimeError("inner secret")).post(V1, CHAT)
    assert reply.status == 500
    assert b"inner secret" not in reply.body
    assert "internal error" in caplog.text


@pytest.mark.parametrize(
    "first", [Unreachable("x"), Overloaded("x"), answer({}, 429), answer({}, 500), answer({}, 529)]
)
async def test_the_next_backend_is_asked_where_the_call_was_not_carried_out(door, first):
    client = door(first, second=Host(answer(OK)))
    assert (await client.post(V1, CHAT)).status == 200
    assert [name for name, _ in client.counts.attempts] == ["one", "two"]


@pytest.mark.parametrize("first", [Broken("x"), TimedOut("x"), answer({"error": {"message": "m"}}, 400)])
async def test_no_other_backend_is_asked_where_it_may_have_been(door, first):
    client = door(first, second=Host(answer(OK)))
    assert (await client.post(V1, CHAT)).status != 200
    assert client.hosts["two"].requests == []


async def test_a_filtered_prompt_is_told_as_the_service_tells_it(door):
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": True}}}
    host = answer(
        {"error": {"message": "filtered", "code": "content_filter", "param": "prompt", "innererror": inner}}, 400
    )
    error = json.loads((await door(host).post(V1, CHAT)).body)["error"]
    assert error["innererror"] == error["inner_error"] == inner
    assert (error["code"], error["param"], error["status"]) == ("content_filter", "prompt", 400)


@pytest.mark.parametrize(("client_id", "echo"), [("abc-1", b"abc-1"), ("", b"Not-Set"), ("a" * 300, b"Not-Set")])
async def test_the_clients_request_id_is_echoed(door, client_id, echo):
    reply = await door(answer(OK)).post(V1, CHAT, x_ms_client_request_id=client_id)
    assert dict(reply.headers)[b"x-ms-client-request-id"] == echo


async def test_too_large_a_body_is_refused_in_the_surfaces_words(door):
    admitted = door(answer(OK)).gateway.accept(head(V1))
    reply = admitted.refuse(BodyTooLarge("more than 10 bytes"))
    assert (reply.status, json.loads(reply.body)["error"]["code"]) == (413, "RequestEntityTooLarge")
    assert admitted.max_body == 1_000_000
