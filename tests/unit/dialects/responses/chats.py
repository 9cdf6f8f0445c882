"""Answers of chat completions that a test makes up, and what a client makes of the events."""

import copy
import itertools
import json
from collections.abc import Callable, Iterable
from typing import Any

from forehearth.dialects.responses import asked, problems
from forehearth.dialects.responses.answer import Answer
from forehearth.dialects.responses.objects import Frame

NOW = 1_800_000_000
TOOLS = frozenset(
    {"mcp_list_tools", "mcp_call", "mcp_approval_request", "openapi_call", "openapi_call_output", "structured_outputs"}
)
"""Items that have what they come to in their last event alone."""


def counting() -> Callable[[str], str]:
    """Ids that count up, each prefix by itself, so that the order in which they are asked for does not matter."""
    counts: dict[str, Any] = {}
    return lambda prefix: f"{prefix}_{next(counts.setdefault(prefix, itertools.count()))}"


def question(**members: Any) -> asked.Question:
    return asked.read(problems.decoded(json.dumps({"model": "m", "input": "hello"} | members).encode()), counting())


def answering(**members: Any) -> Answer:
    """An answer to a question with these members, before it begins."""
    frame = Frame(id="resp_1", created_at=NOW, question=question(**members))
    return Answer(frame, counting(), lambda: NOW + 5.0)


def event(data: Any) -> bytes:
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n"


def chunk(delta: dict[str, Any], finish: str | None = None, **choice: Any) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish, **choice}]
    return event(
        {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "x", "choices": choices}
    )


def usage(**members: Any) -> bytes:
    return event({"id": "chatcmpl-1", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3} | members})


def call(index: int, call_id: str | None = None, name: str | None = None, arguments: str = "") -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    identity = {"id": call_id, "type": "function"} if call_id else {}
    return {"tool_calls": [{"index": index, "function": function} | identity]}


DONE = event(b"[DONE]")


def run(answer: Answer, *pieces: bytes) -> list[dict[str, Any]]:
    """All events of a stream, as a client reads them."""
    found = answer.begin()
    for piece in pieces:
        found += answer.feed(piece)
    found += answer.finish()
    read: list[dict[str, Any]] = json.loads(json.dumps(found))
    return read


def whole(answer: Answer, body: dict[str, Any]) -> dict[str, Any]:
    """The response to an answer that is not streamed."""
    answer.begin()
    answer.whole(json.dumps(body).encode())
    read: dict[str, Any] = json.loads(json.dumps(answer.response))
    return read


def types(events: Iterable[dict[str, Any]]) -> list[str]:
    return [each["type"].removeprefix("response.") for each in events]


def folded(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The response as a client puts it together that looks at what is added alone, until the last event.

    What the last event says of status, times, usage and reasons is taken from it; its output is not.
    """
    response: dict[str, Any] = copy.deepcopy(events[0]["response"])
    for each in events[1:]:
        if "response" in each:
            response = each["response"] | {"output": response["output"]}
        elif each["type"] == "response.output_item.added":
            assert len(response["output"]) == each["output_index"]
            response["output"].append(copy.deepcopy(each["item"]))
        else:
            _fold_item(response["output"][each["output_index"]], each)
    return response


def _fold_item(item: dict[str, Any], each: dict[str, Any]) -> None:
    if each["type"] == "response.output_item.done" and item["type"] in TOOLS:
        assert item["id"] == each["item"]["id"]
        item |= copy.deepcopy(each["item"])
        return
    if each["type"] == "response.output_item.done":
        assert item | {"status": each["item"]["status"]} == each["item"]
        item["status"] = each["item"]["status"]
        return
    assert item["id"] == each["item_id"]
    if each["type"].startswith(("response.mcp_list_tools.", "response.mcp_call.")):
        return
    if each["type"] in ("response.function_call_arguments.delta", "response.mcp_call_arguments.delta"):
        item["arguments"] += each["delta"]
    elif each["type"] in ("response.function_call_arguments.done", "response.mcp_call_arguments.done"):
        assert item["arguments"] == each["arguments"]
    elif each["type"] == "response.content_part.added":
        assert len(item["content"]) == each["content_index"]
        item["content"].append(copy.deepcopy(each["part"]))
    else:
        _fold_part(item["content"][each["content_index"]], each)


def _fold_part(part: dict[str, Any], each: dict[str, Any]) -> None:
    member = "refusal" if part["type"] == "refusal" else "text"
    if each["type"].endswith(".delta"):
        part[member] += each["delta"]
        part.get("logprobs", []).extend({**found, "bytes": []} for found in each.get("logprobs", ()))
    elif each["type"] == "response.content_part.done":
        assert part == each["part"]
    else:
        assert part[member] == each[member]
