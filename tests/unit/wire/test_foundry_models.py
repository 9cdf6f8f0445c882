"""What is particular to `/models`: members it does not define, and the id of embeddings."""

import json

import pytest

from tests.unit.doors import answer

BODY = b'{ "model":"chat", "messages" : [{"role":"user","content":"hi","odd":1}],"top_k": 5, "n" :2}'
ANSWER = b'{"id":"c", "choices": [], "novel": {"x": 1.50}}'


async def test_pass_through_leaves_every_byte_but_the_models_name(door):
    client = door(answer(ANSWER))
    reply = await client.post("/models/chat/completions", BODY, extra_parameters="pass-through")
    assert client.host.requests[0].body == BODY.replace(b'"chat"', b'"served-model"')
    assert reply.body == ANSWER


async def test_drop_takes_out_what_is_not_defined(door):
    client = door(answer(ANSWER))
    await client.post("/models/chat/completions", BODY, extra_parameters="drop")
    assert client.host.requests[0].body == (
        b'{ "model":"served-model","messages" : [{"role":"user","content":"hi","odd":1}]}'
    )


@pytest.mark.parametrize("wish", [{}, {"extra_parameters": "error"}])
async def test_error_names_them(door, wish):
    reply = await door(answer(ANSWER)).post("/models/chat/completions", BODY, **wish)
    said = json.loads(reply.body)
    assert reply.status == 400
    assert "[n, top_k]" in said["message"]
    assert said["detail"] == {"loc": ["body", "n"]}


async def test_a_wish_that_does_not_exist(door):
    reply = await door(answer(ANSWER)).post("/models/chat/completions", BODY, extra_parameters="maybe")
    assert (reply.status, json.loads(reply.body)["param"]) == (400, "extra-parameters")


@pytest.mark.parametrize(("sent", "id_"), [({"data": []}, "id-0"), ({"id": "theirs", "data": []}, "theirs")])
async def test_embeddings_get_the_id_that_the_api_requires(door, sent, id_):
    reply = await door(answer(sent)).post("/models/embeddings", {"model": "vectors", "input": ["a"]})
    assert json.loads(reply.body) == {**sent, "id": id_}
