"""Whatever a body is: it is read, or refused in words; what is read can be asked of a model, and shown."""

import json
from contextlib import suppress
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forehearth.core.errors import Refused
from forehearth.dialects.responses import asked, chat, problems
from forehearth.dialects.responses.objects import Frame, State, whole
from tests.openai_schemas import check
from tests.unit.dialects.responses.chats import counting

LEAVES = st.none() | st.booleans() | st.integers(-2, 99) | st.floats(allow_nan=False) | st.text(max_size=6)
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner))
PARTS = st.sampled_from(
    [
        {"type": "input_text", "text": "x"},
        {"type": "input_image", "image_url": "https://a/b.png"},
        {"type": "input_file", "file_data": "data:,x", "filename": "a"},
        {"type": "output_text", "text": "x", "annotations": [], "logprobs": []},
        {"type": "refusal", "refusal": "no"},
    ]
)
ITEMS = st.one_of(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "assistant", "system", "developer", "tool"]),
        st.text(max_size=6) | st.lists(PARTS, max_size=3),
    ),
    st.builds(
        lambda at: {"type": "function_call", "call_id": at, "name": "f", "arguments": "{}"}, st.sampled_from("ab")
    ),
    st.builds(lambda at: {"type": "function_call_output", "call_id": at, "output": "1"}, st.sampled_from("ab")),
    st.just({"type": "reasoning", "id": "rs_1", "summary": []}),
    st.sampled_from(
        [
            {"type": "mcp_list_tools", "server_label": "s", "tools": [{"name": "t", "input_schema": {}}]},
            {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "s", "name": "t", "arguments": "{}"},
            {"type": "mcp_call", "server_label": "s", "name": "t", "arguments": "{}", "output": "x"},
            {"type": "mcp_call", "server_label": "s", "name": "t", "arguments": "{}", "status": "failed"},
        ]
    ),
)
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}
FILTERS = st.fixed_dictionaries({}, optional={"tool_names": st.lists(st.text(max_size=3)), "read_only": st.booleans()})
SERVERS = st.fixed_dictionaries(
    {"type": st.just("mcp"), "server_label": st.sampled_from("st"), "server_url": st.just("https://a.example/b")},
    optional={
        "allowed_tools": st.lists(st.text(max_size=3), max_size=2) | FILTERS,
        "require_approval": st.sampled_from(["always", "never"]) | st.builds(lambda f: {"never": f}, FILTERS),
        "headers": st.dictionaries(st.text(max_size=3), st.just("canary")),
        "authorization": st.just("canary"),
        "server_description": st.text(max_size=6),
    },
)
GOOD: dict[str, st.SearchStrategy[Any]] = {
    "model": st.just("m"),
    "input": st.text(max_size=6) | st.lists(ITEMS, max_size=4),
    "instructions": st.text(max_size=6),
    "store": st.booleans(),
    "temperature": st.floats(0, 2),
    "top_logprobs": st.integers(0, 20),
    "max_output_tokens": st.integers(16, 99),
    "tools": st.lists(st.just(FUNCTION) | SERVERS, max_size=2),
    "tool_choice": st.sampled_from(
        ["auto", "none", "required", {"type": "function", "name": "f"}, {"type": "mcp", "server_label": "s"}]
    ),
    "text": st.sampled_from([{"format": {"type": "json_object"}}, {"verbosity": "low"}, {}]),
    "reasoning": st.sampled_from([{"effort": "low"}, {}]),
    "metadata": st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=3),
    "include": st.lists(st.sampled_from(asked.INCLUDES), max_size=2),
    "truncation": st.sampled_from(["auto", "disabled"]),
}


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A good body, of which one member may be anything."""
    body = {name: draw(value) for name, value in GOOD.items() if name in ("model", "input") or draw(st.booleans())}
    if draw(st.booleans()):
        body[draw(st.sampled_from(asked.Body.__struct_fields__))] = draw(ANYTHING)
    return body


@given(bodies())
@settings(deadline=None)
def test_a_body_is_read_or_refused(body):
    new_id = counting()
    said = None
    with suppress(Refused):
        question = asked.read(problems.decoded(json.dumps(body).encode()), new_id)
        items = asked.items.resolved(question.items, lambda _: None)
        said = chat.body(question, items)
    if said is None:
        return
    assert msgspec.json.decode(said)["messages"] is not None
    frame = Frame(id="resp_1", created_at=1, question=question)
    shown = msgspec.json.encode(whole(frame, State()))
    check("Response", msgspec.json.decode(shown))
    assert b"canary" not in shown
    if items:
        listed = {"object": "list", "data": list(items), "has_more": False, "first_id": "a", "last_id": "b"}
        check("ResponseItemList", listed)
        assert asked.items.read(list(items), new_id) == items


@given(st.binary(max_size=60))
@example(b'{"model":"m","input":"\\ud800"}')
@example(b'{"model":"m","input":"x","tools":[{"type":"function","name":"f","parameters":' + b'{"a":' * 500)
def test_bytes_are_read_or_refused(body):
    with suppress(Refused):
        asked.read(problems.decoded(body), counting())


def test_what_is_nested_deeply_is_read_or_refused():
    for depth in range(0, 3_000, 50):
        nested = b'{"a":' * depth + b"1" + b"}" * depth
        tool = b'{"type":"function","name":"f","parameters":{"b":%b}}' % nested
        for body in (
            b'{"model":"m","input":"x","tools":[%b]}' % tool,
            b'{"model":"m","input":[%b]}' % nested,
            b'{"model":"m","input":[{"type":"reasoning","summary":[%b]}]}' % (b'{"b":%b}' % nested),
        ):
            with suppress(Refused):
                question = asked.read(problems.decoded(body), counting())
                chat.body(question, question.items)
