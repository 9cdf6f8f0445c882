"""Assistants, threads and messages: made, listed, changed, removed; what cannot be is refused by the member's name."""

import json

import pytest

from tests.unit.assistants.stage import CLASSIC, PROJECT, SALES, TOOL, V1, Stage

BASES = (PROJECT, V1, CLASSIC)


@pytest.mark.parametrize("base", BASES)
async def test_an_assistant_is_made_read_changed_and_removed(base):
    stage = Stage()
    given = {
        "model": "m",
        "name": "n",
        "tools": [TOOL],
        "metadata": {"a": "b"},
        "response_format": {"type": "json_object"},
    }
    made = await stage.ask("POST", "/assistants", given, base=base)
    assert made["id"].startswith("asst_")
    assert (
        made
        == {
            "id": made["id"],
            "object": "assistant",
            "created_at": 1_800_000_000,
            "description": None,
            "instructions": None,
            "tool_resources": {},
            "temperature": None,
            "top_p": None,
        }
        | given
    )
    one = f"/assistants/{made['id']}"
    assert await stage.ask("GET", one, base=base) == made
    changed = await stage.ask("POST", one, {"name": None, "tools": None, "temperature": 0}, base=base)
    assert changed == made | {"name": None, "tools": [], "temperature": 0}
    assert await stage.ask("POST", one, {}, base=base) == changed
    assert await stage.ask("DELETE", one, base=base) == {
        "id": made["id"],
        "object": "assistant.deleted",
        "deleted": True,
    }
    for method in ("GET", "DELETE"):
        message, _ = await stage.refused(method, one, base=base, status=404)
        assert message == f"No assistant found with id '{made['id']}'."


async def test_lists_come_in_pages_in_both_orders():
    stage = Stage()
    ids = [(await stage.ask("POST", "/assistants", {"model": "m"}))["id"] for _ in range(5)]
    seen, after = [], ""
    while True:
        page = await stage.ask("GET", f"/assistants?limit=2{after}")
        seen += [each["id"] for each in page["data"]]
        assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
        if not page["has_more"]:
            break
        after = f"&after={page['last_id']}"
    assert seen == ids[::-1]
    page = await stage.ask("GET", f"/assistants?order=asc&before={ids[3]}&limit=2")
    assert [each["id"] for each in page["data"]] == ids[1:3]
    empty = await stage.ask("GET", "/assistants", base=SALES)
    assert empty == {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False}
    for query, param in (("limit=0", "limit"), ("limit=101", "limit"), ("order=up", "order"), ("after=x", "after")):
        assert (await stage.refused("GET", f"/assistants?{query}"))[1] == param


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({}, "model"),
        ({"model": ""}, "model"),
        ({"model": None}, "model"),
        ({"model": "m", "name": "x" * 257}, "name"),
        ({"model": "m", "description": "x" * 513}, "description"),
        ({"model": "m", "instructions": "x" * 256_001}, "instructions"),
        ({"model": "m", "temperature": 3}, "temperature"),
        ({"model": "m", "top_p": "1"}, "top_p"),
        ({"model": "m", "metadata": {"a": 1}}, "metadata.a"),
        ({"model": "m", "tools": [{}]}, "tools[0].type"),
        ({"model": "m", "tools": ["f"]}, "tools[0]"),
        ({"model": "m", "tools": [{"type": "strange"}]}, "tools[0].type"),
        ({"model": "m", "tools": [{"type": "function"}]}, "tools[0].function"),
        ({"model": "m", "tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        ({"model": "m", "tools": [TOOL | {"x": 1}]}, "tools[0].x"),
        ({"model": "m", "tools": [TOOL] * 129}, "tools"),
        (
            {"model": "m", "tools": [{"type": "function", "function": {"name": "f", "description": "x" * 600_000}}]},
            "tools",
        ),
        ({"model": "m", "tool_resources": []}, "tool_resources"),
        (
            {"model": "m", "tool_resources": {"code_interpreter": {"file_ids": ["f"]}}},
            "tool_resources.code_interpreter",
        ),
        ({"model": "m", "response_format": {"type": "xml"}}, "response_format.type"),
        ({"model": "m", "reasoning_effort": "low"}, "reasoning_effort"),
        ({"model": "m", "stranger": 1}, "stranger"),
    ],
)
async def test_an_assistant_that_cannot_be_is_refused(members, param):
    stage = Stage()
    assert (await stage.refused("POST", "/assistants", members))[1] == param
    assert not stage.documents._documents


@pytest.mark.parametrize(
    "kind", ["code_interpreter", "file_search", "openapi", "mcp", "bing_grounding", "azure_function"]
)
async def test_tools_that_are_not_served_are_named_with_those_that_are(kind):
    stage = Stage()
    for body in ({"model": "m", "tools": [TOOL, {"type": kind}]},):
        message, param = await stage.refused("POST", "/assistants", body)
        assert (
            message == f"Tools of type '{kind}' are not served for classic agents; served are tools of type 'function'."
        )
        assert param == "tools[1].type"


async def test_resources_with_nothing_in_them_are_none():
    stage = Stage()
    for empty in (None, {}, {"code_interpreter": None}, {"code_interpreter": {"file_ids": []}}):
        made = await stage.ask("POST", "/assistants", {"model": "m", "tool_resources": empty})
        assert made["tool_resources"] == {}


async def test_a_thread_and_its_messages():
    stage = Stage()
    thread = await stage.ask(
        "POST", "/threads", {"messages": [{"role": "user", "content": "one"}], "metadata": {"a": "b"}}
    )
    assert thread == {
        "id": thread["id"],
        "object": "thread",
        "created_at": 1_800_000_000,
        "tool_resources": {},
        "metadata": {"a": "b"},
    }
    empty = await stage.ask("POST", "/threads")
    assert [each["id"] for each in (await stage.ask("GET", "/threads"))["data"]] == [empty["id"], thread["id"]]
    one = f"/threads/{thread['id']}"
    assert await stage.ask("POST", one, {"metadata": {"c": "d"}}) == thread | {"metadata": {"c": "d"}}
    parts = [{"type": "text", "text": "two"}, {"type": "image_url", "image_url": {"url": "https://e.org/a.png"}}]
    said = await stage.ask("POST", f"{one}/messages", {"role": "assistant", "content": parts, "metadata": {"n": "2"}})
    assert said == {
        "id": said["id"],
        "object": "thread.message",
        "created_at": 1_800_000_000,
        "assistant_id": None,
        "thread_id": thread["id"],
        "run_id": None,
        "status": "completed",
        "incomplete_details": None,
        "completed_at": 1_800_000_000,
        "incomplete_at": None,
        "role": "assistant",
        "content": [
            {"type": "text", "text": {"value": "two", "annotations": []}},
            {"type": "image_url", "image_url": {"url": "https://e.org/a.png", "detail": "auto"}},
        ],
        "attachments": [],
        "metadata": {"n": "2"},
    }
    listed = (await stage.ask("GET", f"{one}/messages?order=asc"))["data"]
    assert [each["content"][0]["text"]["value"] for each in listed] == ["one", "two"]
    assert (await stage.ask("GET", f"{one}/messages?run_id=run_none"))["data"] == []
    mine = f"{one}/messages/{said['id']}"
    assert await stage.ask("POST", mine, {"metadata": None}) == said | {"metadata": {}}
    assert await stage.ask("POST", mine) == said | {"metadata": {}}
    await stage.refused("GET", f"/threads/{empty['id']}/messages/{said['id']}", status=404)
    assert (await stage.ask("DELETE", mine))["object"] == "thread.message.deleted"
    assert (await stage.refused("GET", mine, status=404))[0] == f"No message found with id '{said['id']}'."


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"content": "x"}, "role"),
        ({"role": "user"}, "content"),
        ({"role": "system", "content": "x"}, "role"),
        ({"role": "user", "content": 1}, "content"),
        ({"role": "user", "content": []}, "content"),
        ({"role": "user", "content": ["x"]}, "content[0]"),
        ({"role": "user", "content": [{"text": "x"}]}, "content[0].type"),
        ({"role": "user", "content": [{"type": "text"}]}, "content[0].text"),
        ({"role": "user", "content": [{"type": "text", "text": {"value": "x"}}]}, "content[0].text"),
        ({"role": "user", "content": [{"type": "sound"}]}, "content[0].type"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": ""}}]}, "content[0].image_url.url"),
        ({"role": "user", "content": "x" * 256_001}, "content"),
        ({"role": "user", "content": [{"type": "text", "text": "x" * 200_000}] * 2}, "content"),
        ({"role": "user", "content": "x", "attachments": [{"file_id": "f", "tools": []}]}, "attachments"),
        ({"role": "user", "content": "x", "metadata": []}, "metadata"),
        ({"role": "user", "content": "x", "file_ids": []}, "file_ids"),
    ],
)
async def test_a_message_that_cannot_be_is_refused(members, param):
    stage = Stage()
    thread = await stage.ask("POST", "/threads")
    assert (await stage.refused("POST", f"/threads/{thread['id']}/messages", members))[1] == param
    if "role" in members and "content" in members:
        _, within = await stage.refused("POST", "/threads", {"messages": [{"role": "user", "content": "x"}, members]})
        assert within == f"messages[1].{param}"
    assert await stage.said(thread["id"]) == []
    assert len(stage.documents._documents) == 1


async def test_pictures_by_file_are_not_served_yet():
    stage = Stage()
    thread = await stage.ask("POST", "/threads")
    body = {"role": "user", "content": [{"type": "image_file", "image_file": {"file_id": "f"}}]}
    message, _ = await stage.refused("POST", f"/threads/{thread['id']}/messages", body, status=501)
    assert "image_url" in message


async def test_what_is_elsewhere_is_not_there():
    stage = Stage()
    for mine in (PROJECT, V1):
        agent, thread = await stage.begin("x", base=mine)
        message = (await stage.ask("GET", f"/threads/{thread}/messages", base=mine))["first_id"]
        for base in (SALES, V1 if mine == PROJECT else PROJECT):
            for method, form, body in (
                ("GET", "/assistants/{a}", None),
                ("POST", "/assistants/{a}", {"name": "x"}),
                ("DELETE", "/assistants/{a}", None),
                ("GET", "/threads/{t}", None),
                ("POST", "/threads/{t}", {"metadata": {}}),
                ("DELETE", "/threads/{t}", None),
                ("GET", "/threads/{t}/messages", None),
                ("POST", "/threads/{t}/messages", {"role": "user", "content": "x"}),
                ("GET", "/threads/{t}/messages/{m}", None),
                ("POST", "/threads/{t}/messages/{m}", {"metadata": {}}),
                ("DELETE", "/threads/{t}/messages/{m}", None),
            ):
                foreign = await stage.refused(
                    method, form.format(a=agent, t=thread, m=message), body, base=base, status=404
                )
                absent = await stage.refused(
                    method, form.format(a="a_0", t="t_0", m="m_0"), body, base=base, status=404
                )
                assert foreign[0].replace(agent, "a_0").replace(thread, "t_0") == absent[0]
        assert await stage.ask("GET", f"/threads/{thread}", base=mine)
        assert (await stage.ask("GET", f"/assistants/{agent}", base=CLASSIC if mine == V1 else mine))["id"] == agent


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'"x"', b"[" * 100_000, b'{"model": "m", "model": 1}'])
@pytest.mark.parametrize("path", ["/assistants", "/threads", "/threads/runs", "/threads/t/runs", "/threads/t/messages"])
async def test_bodies_that_are_none_are_refused(path, body):
    reply = await Stage().reply("POST", path, body)
    assert reply.status in (200, 400) if path == "/threads" and not body else reply.status == 400
    assert json.loads(reply.body)
