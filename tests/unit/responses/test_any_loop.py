"""Whatever a model says and its tools answer: the events of a loop are as documented, in one row, and add up."""

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from forehearth.core.errors import Broken, TooManyRequests
from forehearth.core.tool import ToolResult
from tests.openai_schemas import check, check_event
from tests.unit.dialects.responses.chats import DONE, call, chunk, folded, usage
from tests.unit.responses.stage import Source as Answer
from tests.unit.responses.stage import Stage
from tests.unit.responses.tool_sources import Source, failed, mcp, tool

NAMES = ("read", "write", "mine", "none")
FUNCTION = {"type": "function", "name": "mine", "parameters": {"type": "object"}}
TOOLS = [mcp(require_approval={"never": {"tool_names": ["read"]}}), FUNCTION]
ROUND = st.fixed_dictionaries(
    {
        "said": st.lists(st.text("ab ", min_size=1, max_size=3), max_size=2),
        "calls": st.lists(st.sampled_from(NAMES), max_size=3),
        "arguments": st.sampled_from(["{}", '{"q": 1}', "[", ""]),
        "finish": st.sampled_from(["stop", "tool_calls", "length", "content_filter"]),
        "usage": st.booleans(),
        "fails": st.sampled_from([None, None, None, "before", "within", "cut"]),
    }
)
RESULT = st.sampled_from(
    [
        ToolResult(text="fine"),
        failed("execution", "It failed."),
        failed("http", "It is away.", 503),
        failed("protocol", "What?", -32601),
    ]
)
IDS = re.compile(r'"(\w+_\d+)"')


def streamed(what):
    """A model's answer as a stream; an error in the place of one that is refused."""
    if what["fails"] == "before":
        return TooManyRequests("Slow down.", retry_after=1.0)
    pieces = [chunk({"content": each}) for each in what["said"]]
    for at, name in enumerate(what["calls"]):
        pieces += [chunk(call(at, f"c{at}", name)), chunk(call(at, arguments=what["arguments"]))]
    if what["fails"] == "within":
        return Answer([*pieces, Broken("It broke off.")])
    if what["fails"] != "cut":
        pieces += [chunk({}, what["finish"]), *([usage()] if what["usage"] else []), DONE]
    return Answer(pieces)


def playing(rounds, result):
    here = Stage(*map(streamed, rounds), Answer([chunk({"content": "Done."}, "stop"), DONE]))
    here.models.answers.append(TooManyRequests("Once too often.", retry_after=1.0))
    here.sources["files"] = source = Source(tool("read"), tool("write"))

    async def answers():
        return result

    source.answers["read"] = answers
    return here, source


@given(st.lists(ROUND, min_size=1, max_size=4), RESULT, st.sampled_from([None, 1, 2]))
@settings(deadline=None, max_examples=25)
async def test_the_events_are_sound_and_nothing_is_called_that_waits(rounds, result, most):
    here, source = playing(rounds, result)
    events = await here.events(tools=TOOLS, max_tool_calls=most)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    for event in events:
        check_event(event)
    response = events[-1]["response"]
    check("Response", response)
    added_up = folded(events)
    if response["status"] == "failed":  # what it left open is told by the last event alone
        for item in added_up["output"]:
            item.update({"status": "incomplete"} if item.get("status") == "in_progress" else {})
    assert added_up == response
    assert events[-1]["type"] == f"response.{response['status']}"
    assert {name for name, _ in source.calls} <= {"read"}
    made = [item for item in response["output"] if item["type"] == "mcp_call"]
    assert [item["name"] for item in made] == ["read"] * len(source.calls)
    assert len(made) <= (most or 64)
    assert {item["status"] for item in made} <= {"completed" if result.fault is None else "failed"}
    assert source.closed == 1
    assert here.kept == [response["id"]]
    ids = [item["id"] for item in response["output"]]
    assert len(ids) == len(set(ids)) == len(IDS.findall(json.dumps(ids)))
