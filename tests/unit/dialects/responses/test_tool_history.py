"""Conversations with calls that were made here, as chat completions take them: each with its result right behind."""

from hypothesis import given
from hypothesis import strategies as st

from forehearth.dialects.responses import chat, tool_history
from forehearth.dialects.responses.tool_history import as_functions, called

USER = {"type": "message", "role": "user", "content": "hi"}
SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]}


def made(at, **more):
    return {"type": "mcp_call", "id": f"mcp_{at}", "server_label": "s", "name": "a.b", "arguments": "{}"} | more


def function(at):
    return {"type": "function_call", "status": "completed", "call_id": f"c{at}", "name": "f", "arguments": "{}"}


def output(at):
    return {"type": "function_call_output", "call_id": f"c{at}", "output": "1"}


def test_a_call_and_its_result():
    assert as_functions([USER, made(1, output="x")]) == [USER, *called("mcp_1", "a_b", "{}", "x")]
    assert as_functions([made(1, output="x")], lambda label, name: f"{label}-{name}")[0]["name"] == "s-a.b"


def test_what_went_wrong_is_the_result():
    errors = {
        "plain": "plain",
        "Away.": {"type": "http_error", "code": 500, "message": "Away."},
        "a\nb": {"type": "mcp_tool_execution_error", "content": [{"text": "a"}, {"text": "b"}, 5]},
        "The tool failed.": {"type": "other"},
        "": None,
    }
    for text, error in errors.items():
        assert as_functions([made(1, error=error)])[1]["output"] == text


def test_calls_of_the_client_stay_together_with_their_results_to_come():
    items = [USER, SAID, function(1), made(2, output="x"), function(3), made(4, output="y"), output(1), output(3)]
    messages = chat.messages(None, as_functions(items))
    assert [each["role"] for each in messages] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "tool",
        "assistant",
        *["tool"] * 2,
    ]
    assert [call["id"] for call in messages[-3]["tool_calls"]] == ["c1", "c3"]


def test_calls_of_apis_and_forms():
    items = [
        {"type": "openapi_call", "id": "oa_1", "call_id": "c1", "name": "shop.order", "arguments": "{}"},
        {"type": "openapi_call_output", "id": "oao_1", "call_id": "c1", "name": "shop.order", "output": "ok"},
        {"type": "structured_outputs", "id": "so_1", "output": {"a": 1}},
    ]
    assert as_functions(items) == [
        *called("c1", "shop_order", "{}", "ok"),
        *called("so_1", "structured_outputs", '{"a":1}', "Captured."),
    ]


ITEMS = st.lists(
    st.one_of(
        st.just(USER),
        st.just(SAID),
        st.integers(0, 99).map(lambda at: made(at, output="x")),
        st.just({"type": "mcp_list_tools", "server_label": "s", "tools": []}),
    ),
    max_size=8,
)


@given(ITEMS, ITEMS, st.integers(0, 3))
def test_every_call_has_its_result_right_behind_whatever_came_before(before, between, count):
    calls = [function(f"_{at}") for at in range(count)]
    mixed = [*before, *calls, *(each for each in between if each["type"] == "mcp_call")]
    answers = [output(f"_{at}") for at in range(count)]
    messages = chat.messages(None, as_functions([*mixed, *answers, USER]))
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
            continue
        assert waiting == []
        waiting = [call["id"] for call in message.get("tool_calls", ())]
    assert waiting == []


def test_plain_names_are_such_that_models_take_them():
    assert tool_history.plain_name("s", "a b/c") == "a_b_c"
    assert len(tool_history.plain_name("s", "x" * 200)) == 64
