"""A streamed chat completion put together, wherever its bytes are cut."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.stored_completions.assembly import Assembly


def chunk(*choices, **top):
    given = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "m"}
    return given | {"choices": list(choices)} | top


def choice(index=0, finish=None, logprobs=None, **delta):
    return {"index": index, "delta": delta, "finish_reason": finish, "logprobs": logprobs}


def call(index, **rest):
    return {"tool_calls": [{"index": index, **rest}]}


EVENTS = [
    {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
    chunk(choice(role="assistant", content="", refusal=None), system_fingerprint="fp"),
    chunk(choice(content="Hél")),
    chunk(choice(1, role="assistant", content=None)),
    chunk(choice(content="lo", logprobs={"content": [{"token": "a"}], "refusal": None})),
    chunk(choice(content="!", logprobs={"content": [{"token": "b"}], "refusal": None})),
    chunk(choice(1, **call(0, id="call_1", type="function", function={"name": "f", "arguments": ""}))),
    chunk(choice(1, **call(1, id="call_2", type="function", function={"name": "g", "arguments": "{"}))),
    chunk(choice(1, **call(0, function={"arguments": '{"a":'}))),
    chunk(choice(1, **call(0, function={"arguments": "1}"}))),
    chunk(choice(1, **call(1, function={"arguments": "}"}))),
    chunk(choice(finish="stop")),
    chunk(choice(1, finish="tool_calls")),
    chunk(usage={"total_tokens": 3}),
]
WHOLE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 7,
    "model": "m",
    "prompt_filter_results": [{"prompt_index": 0}],
    "system_fingerprint": "fp",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Héllo!", "refusal": None},
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": "a"}, {"token": "b"}], "refusal": None},
        },
        {
            "index": 1,
            "message": {
                "role": "assistant",
                "content": None,
                "refusal": None,
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                    {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                ],
            },
            "finish_reason": "tool_calls",
            "logprobs": None,
        },
    ],
    "usage": {"total_tokens": 3},
}


def stream(*events, end="\n\n", done=True):
    lines = [f"data: {json.dumps(event, ensure_ascii=False)}{end}" for event in events]
    return "".join([*lines, f"data: [DONE]{end}" if done else ""]).encode()


def put_together(*pieces):
    assembly = Assembly()
    for piece in pieces:
        assembly.feed(piece)
    return assembly.whole()


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n"])
def test_all_that_was_said_is_in_it(end):
    assert put_together(stream(*EVENTS, end=end)) == WHOLE


@given(st.lists(st.integers(0, len(stream(*EVENTS))), max_size=30), st.sampled_from(["\n\n", "\r\n\r\n"]))
def test_it_makes_no_difference_where_it_is_cut(places, end):
    text = stream(*EVENTS, end=end)
    edges = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    assert put_together(*(text[low:high] for low, high in itertools.pairwise(edges))) == WHOLE


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"data: [DONE]\n\n",
        stream(*EVENTS, done=False),
        stream(*EVENTS[:2])[:-20],
        stream(*EVENTS, {"error": {"message": "no"}}),
        b"data: {\n\ndata: [DONE]\n\n",
        b"data: []\n\ndata: [DONE]\n\n",
        b"data: \xff\n\ndata: [DONE]\n\n",
        b"data: " + b"[" * 100_000 + b"\n\ndata: [DONE]\n\n",
        stream({"id": "x", "choices": [1]}),
        stream({"id": "x", "choices": [{"index": "one", "delta": {}}]}),
        stream({"id": "x", "choices": [{"index": 0, "delta": "text"}]}),
        stream({"id": "x", "choices": 5}),
        stream(chunk(choice(tool_calls=[1, {"index": 0}]))),
    ],
)
def test_what_is_no_whole_completion_is_none(text):
    assert put_together(text) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "index", "delta"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["index", "delta", "content", "tool_calls", "choices", "id"]), inner)
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=4))
def test_any_events_are_put_together_or_not_and_nothing_is_raised(events):
    whole = put_together(stream(*events))
    assert whole is None or whole["object"] == "chat.completion"
