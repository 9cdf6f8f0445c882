"""What a model is asked in a run, as chat completions: the thread, and what was done in the run so far."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from forehearth.core.errors import MalformedBody
from forehearth.dialects.assistants.objects import Json, Message, Run, Step

ChatMessage = dict[str, Any]
Count = Callable[[str], int]
"""How many tokens a text has."""
_BYTES_OF_TOKEN: Final = 4
_MESSAGE_TOKENS: Final = 4
_IMAGE_TOKENS: Final = 765
"""What OpenAI's models count for a picture of a thousand pixels in square; what it is for others is not known."""
_OURS: Final = "run_failed"


def estimate(text: str) -> int:
    """About how many tokens a text has, where no vocabulary is at hand: English has four bytes in one."""
    return -(-len(text.encode(errors="replace")) // _BYTES_OF_TOKEN)


def shown(message: Message) -> bool:
    """Whether a model is shown a message: not where its run goes on, or broke off and was begun again."""
    if message.status == "in_progress":
        return False
    return message.incomplete_details is None or message.incomplete_details.reason != _OURS


def body(run: Run, messages: Sequence[ChatMessage], *, most: int | None) -> bytes:
    """The body that asks for the next answer in a run, of `most` tokens.

    Raises `MalformedBody` for what is nested too deeply.
    """
    members: dict[str, Any] = {"model": run.model, "messages": messages, "stream": True}
    members["stream_options"] = {"include_usage": True}
    if run.tools:
        members |= {"tools": run.tools, "tool_choice": _choice(run, messages)}
        members |= {} if run.parallel_tool_calls else {"parallel_tool_calls": False}
    for name in ("temperature", "top_p"):
        if getattr(run, name) is not None:
            members[name] = getattr(run, name)
    if isinstance(run.response_format, Mapping) and run.response_format["type"] != "text":
        members["response_format"] = run.response_format
    if most is not None:
        members["max_completion_tokens"] = most
    try:
        return msgspec.json.encode(members)
    except RecursionError:
        raise MalformedBody("The run's JSON is nested too deeply to be passed on.") from None


def _choice(run: Run, messages: Sequence[ChatMessage]) -> str | Json:
    """What a run must call it must call before it says anything, and not for ever."""
    called = bool(messages) and messages[-1]["role"] == "tool"
    return "auto" if called and run.tool_choice != "none" else run.tool_choice


def left(bound: int | None, used: int) -> int | None:
    """How many tokens there still are of so many; None where there is no bound."""
    return None if bound is None else max(0, bound - used)


def conversation(run: Run, thread: Sequence[Message], steps: Sequence[Step], own: Mapping[str, Message]) -> list[Json]:
    """All messages for the model: `thread` is what was said before the run, the oldest first; `own` are its messages.

    `steps` are those of the run so far, the oldest first.
    """
    first: list[ChatMessage] = [{"role": "system", "content": run.instructions}] if run.instructions else []
    return [*first, *map(_said, thread), *so_far(steps, own)]


def fitting(messages: list[Json], most: int | None, count: Count, *, kept: int) -> list[Json] | None:
    """As many of the messages as have no more than `most` tokens, the oldest dropped first; None where none would fit.

    The instructions stay, and so do the `kept` last messages, which belong together.
    """
    if most is None:
        return messages
    head = messages[:1] if messages and messages[0]["role"] == "system" else []
    rest = messages[len(head) :]
    total = sum(_tokens(each, count) for each in messages)
    dropped = 0
    while total > most and len(rest) - dropped > max(1, kept):
        total -= _tokens(rest[dropped], count)
        dropped += 1
    return None if total > most else [*head, *rest[dropped:]]


def halved(messages: list[Json], *, kept: int) -> list[Json] | None:
    """The same without the older half of those that may be left out; None where there are none.

    The instructions stay, and so do the `kept` last messages, as in `fitting`.
    """
    begin = 1 if messages and messages[0]["role"] == "system" else 0
    left_out = -(-(len(messages) - begin - max(1, kept)) // 2)
    return None if left_out <= 0 else messages[:begin] + messages[begin + left_out :]


def so_far(steps: Sequence[Step], own: Mapping[str, Message]) -> list[ChatMessage]:
    """What was said and done in the run: texts, calls and what they gave."""
    said: list[ChatMessage] = []
    for step in steps:
        if step.status != "completed":
            continue
        details = step.step_details
        if step.type == "message_creation":
            message = own.get(details["message_creation"]["message_id"])
            if message is not None and shown(message):
                said.append(_said(message))
            continue
        calls = [
            {
                "id": call["id"],
                "type": "function",
                "function": {name: call["function"][name] for name in ("name", "arguments")},
            }
            for call in details["tool_calls"]
        ]
        if not said or said[-1]["role"] != "assistant" or "tool_calls" in said[-1]:
            said.append({"role": "assistant", "content": None})
        said[-1]["tool_calls"] = calls
        said += [
            {"role": "tool", "tool_call_id": call["id"], "content": call["function"]["output"] or ""}
            for call in details["tool_calls"]
        ]
    return said


def _said(message: Message) -> ChatMessage:
    parts = message.content
    if message.role == "assistant" or all(part["type"] == "text" for part in parts):
        return {"role": message.role, "content": "\n".join(map(_text, parts))}
    return {"role": message.role, "content": [_part(part) for part in parts]}


def _text(part: Json) -> str:
    if part["type"] == "text":
        return str(part["text"]["value"])
    return str(part.get("refusal", ""))


def _part(part: Json) -> Json:
    if part["type"] == "text":
        return {"type": "text", "text": part["text"]["value"]}
    return {"type": "image_url", "image_url": part["image_url"]}


def _tokens(message: Json, count: Count) -> int:
    content = message.get("content")
    parts = [{"type": "text", "text": content or ""}] if not isinstance(content, list) else content
    calls = [msgspec.json.encode(message["tool_calls"]).decode()] if "tool_calls" in message else []
    texts = [*(part["text"] for part in parts if part["type"] == "text"), *calls]
    return _MESSAGE_TOKENS + sum(map(count, texts)) + _IMAGE_TOKENS * (len(parts) + len(calls) - len(texts))
