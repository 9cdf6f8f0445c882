"""Hosts that say anything: an answer of theirs is passed through or refused, and never more than that."""

import contextlib
import json
from typing import Any

from forehearth.core.errors import BackendRefused, Broken, InvalidField
from forehearth.dialects.responses import asked, chat, passed_on, tool_history
from forehearth.dialects.responses.answer import Answer, encoded
from forehearth.dialects.responses.objects import Frame
from forehearth.dialects.responses.passed import Passed
from forehearth.dialects.responses.readable import readable
from tests.unit.dice import by_dice, cut

KINDS = (
    *("message", "reasoning", "function_call", "web_search_call", "custom_tool_call", "mcp_list_tools", "mcp_call"),
    *("mcp_approval_request", "mcp_approval_response", "openapi_call", "openapi_call_output", "structured_outputs"),
)
EVENTS = (
    *("response.created", "response.in_progress", "response.output_item.added", "response.output_item.added"),
    *("response.content_part.added", "response.output_text.delta", "response.output_item.done", "response.odd"),
    *("response.function_call_arguments.delta", "response.reasoning_summary_part.added", "response.content_part.done"),
    *("response.reasoning_summary_text.delta", "response.refusal.delta", "response.output_text.done"),
)
ENDS = ("response.completed", "response.incomplete", "response.failed", "error", "[DONE]", None)


def question():
    return asked.read({"model": "m", "input": "hello"}, lambda prefix: f"{prefix}_1")


def odd(dice):
    return dice.choice([None, 7, "x", [], [None], {}, {"type": "output_text"}, [{"type": "output_text", "text": "a"}]])


def part(dice):
    kind = dice.choice(["output_text", "refusal", "reasoning_text", "summary_text", "output_audio", None])
    return dice.choice([{"type": kind, "text": "", "refusal": ""}, odd(dice)])


def item(dice):
    shown: dict[str, Any] = {"type": dice.choice(KINDS), "id": f"id_{dice.randrange(3)}", "status": "completed"}
    shown |= dice.choice([{}, {"role": "assistant", "content": [part(dice)]}, {"content": odd(dice)}])
    shown |= dice.choice(
        [{}, {"call_id": "c", "name": "f", "arguments": ""}, {"summary": odd(dice), "name": odd(dice)}]
    )
    shown |= dice.choice([{}, {"server_label": "s", "tools": odd(dice), "output": odd(dice), "error": odd(dice)}])
    if dice.random() < 0.05:
        shown[dice.choice(["type", "id"])] = dice.choice([7, None])
    return shown


def event(dice):
    kind = dice.choice(EVENTS)
    members: dict[str, Any] = {"type": kind}
    given = {
        "sequence_number": dice.randrange(9),
        "output_index": dice.choice([0, 0, 1, 2, 9, "x"]),
        "content_index": dice.choice([0, 1, "x"]),
        "summary_index": 0,
        "item_id": f"id_{dice.randrange(3)}",
        "delta": dice.choice(["a", "a", 7]),
        "part": part(dice),
        "logprobs": dice.choice([[], odd(dice)]),
        "response": dice.choice([{"status": odd(dice)}, {"id": 1}, odd(dice)]),
    }
    members |= {name: value for name, value in given.items() if dice.random() < 0.8}
    if "output_item" in kind:
        members["item"] = item(dice) if dice.random() < 0.95 else odd(dice)
    return members


def stream(dice):
    events = [event(dice) for _ in range(dice.randrange(8))]
    text = b"".join(b"event: x\ndata: " + json.dumps(each).encode() + b"\n\n" for each in events)
    end = dice.choice(ENDS)
    if end == "[DONE]":
        return text + b"data: [DONE]\n\n"
    if end is None:
        return text + dice.choice(
            [b"", b": x\n\n", b"data: {", b"data: []\n\n", b'data: {"error": {"message": "no"}}\n\n']
        )
    response = {"status": odd(dice), "usage": odd(dice), "error": odd(dice)} if dice.random() < 0.3 else {}
    if dice.random() < 0.7:
        response["output"] = [item(dice) for _ in range(dice.randrange(3))]
    return text + b"data: " + json.dumps({"type": end, "response": response, "message": "no"}).encode() + b"\n\n"


def frame():
    return Frame(id="resp_1", created_at=1, question=question())


@by_dice(1_000, completed=0.05, incomplete=0.05, failed=0.2)
def test_a_stream_of_anything(dice):
    told = dice.random() < 0.5
    before = [{"type": "message", "id": "b", "status": "completed", "role": "assistant", "content": []}]
    answer = Passed(frame(), lambda: 2.0, told=told, before=before if told else ())
    events = [each for piece in cut(dice, stream(dice), 5) for each in answer.feed(piece)]
    assert answer.response["status"] in ("in_progress", "queued", "completed", "incomplete", "failed", "cancelled")
    events += answer.finish()
    assert answer.over
    response = json.loads(json.dumps(answer.response))
    assert isinstance(response["output"], list)
    assert b"".join(map(encoded, events)) is not None
    require_that_it_goes_on(response["output"])
    if told:
        again = Answer(frame(), lambda prefix: f"{prefix}_2", lambda: 3.0)
        again.again(json.loads(json.dumps(events)))
        assert len(json.dumps(again.response))
    return response["status"]


@by_dice(800, taken=0.3, refused=0.05)
def test_a_whole_answer_of_anything(dice):
    members: dict[str, Any] = {"output": [item(dice) for _ in range(dice.randrange(4))]}
    for name in ("status", "usage", "error", "id", "object", "previous_response_id", "output"):
        if dice.random() < 0.1:
            members[name] = odd(dice)
    answer = Passed(frame(), lambda: 2.0)
    try:
        answer.whole(json.dumps(members).encode())
    except (Broken, BackendRefused):
        return "refused"
    sent = json.loads(answer.body)
    assert sent["id"] == "resp_1"
    assert sent == json.loads(json.dumps(answer.response))
    require_that_it_goes_on(sent["output"])
    return "taken"


def require_that_it_goes_on(output):
    """The next question can be asked of hosts of both kinds, or is refused as one that makes no sense."""
    said = [*question().items, *output]
    passed_on.body(question(), said, question().items)
    tool_history.decisions(tuple(filter(readable, said)), ())
    with contextlib.suppress(InvalidField):  # calls that nobody answered
        chat.body(question(), said)
