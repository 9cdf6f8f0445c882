"""A question of this API as one of chat completions, which any backend of a chat model answers.

`metadata` and `store` stay here: hosts take them of chat completions only to store them there. `reasoning` items are
left out, because chat completions have no place for what a model thought before.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from forehearth.core.errors import InvalidField, MalformedBody
from forehearth.dialects.responses import tool_history, tools
from forehearth.dialects.responses.asked import Body, Question
from forehearth.dialects.responses.items import Resource
from forehearth.dialects.responses.readable import readable
from forehearth.dialects.responses.tool_history import Named

_SAME: Final = (
    *("temperature", "top_p", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"),
    "service_tier",
)
"""Members that mean the same there."""
_PIECE: Final = 65_536
"""Characters that are counted at once: between two pieces others have their turn."""
_MESSAGE_TOKENS, _PRIMING_TOKENS = 4, 3
"""What a message costs besides its content, and what the beginning of the answer does: OpenAI's figures for chats."""
_CALLED_HERE: Final[Mapping[str, str]] = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
    "verbosity": "text.verbosity",
    "logprobs": "top_logprobs",
    "stream_options": "stream",
}
"""What a member of chat completions is called in a question, where that is another name."""
Message = dict[str, Any]
Count = Callable[[str], int]
"""How many tokens a text has."""


def body(question: Question, conversation: Iterable[Resource], named: Named = tool_history.plain_name) -> bytes:
    """The body of chat completions that asks `question`.

    `conversation` is all that the model is to see, the input at its end, with references resolved;
    `named` says what it knows tools of servers by. Raises `InvalidField` for results of functions that nobody called,
    and calls that nobody answered, and `MalformedBody` for what is nested too deeply.
    """
    asked = question.body
    members: dict[str, Any] = {
        "model": asked.model,
        "messages": messages(asked.instructions, tool_history.as_functions(filter(readable, conversation), named)),
    }
    members |= tools.chat(question.tools, parallel=asked.parallel_tool_calls)
    members |= _form(asked)
    if asked.reasoning is not None and asked.reasoning.effort is not None:
        members["reasoning_effort"] = asked.reasoning.effort
    if asked.max_output_tokens is not None:
        members["max_completion_tokens"] = asked.max_output_tokens
    members |= {name: value for name in _SAME if (value := getattr(asked, name)) is not None}
    if question.logprobs:
        members |= {"logprobs": True, "top_logprobs": asked.top_logprobs or 0}
    if asked.stream:
        members |= {"stream": True, "stream_options": {"include_usage": True}}
    try:
        return msgspec.json.encode(members)
    except RecursionError:  # what was just read can be too deep to be written, from further down the stack
        raise MalformedBody("The body's JSON is nested too deeply to be passed on.") from None


def messages(instructions: str | None, conversation: Iterable[Resource]) -> list[Message]:
    """The messages of a conversation, the `instructions` before all others. Raises `InvalidField`."""
    said: list[Message] = [{"role": "system", "content": instructions}] if instructions else []
    open_calls: dict[str, None] = {}
    for item in conversation:
        kind = item["type"]
        if kind == "function_call" and item.get("status") != "incomplete":  # nothing can be made of one that was cut
            _add_call(said, item)
            open_calls[item["call_id"]] = None
        elif kind == "function_call_output":
            if item["call_id"] not in open_calls:
                message = f"No tool call found for function call output with call_id {item['call_id']}."
                raise InvalidField(message, param="input")
            del open_calls[item["call_id"]]
            said.append({"role": "tool", "tool_call_id": item["call_id"], "content": _content(item["output"])})
        elif kind == "message":
            _add_message(said, item)
    if open_calls:
        raise InvalidField(f"No tool output found for function call {next(iter(open_calls))}.", param="input")
    return said


def named_here(param: str | None) -> str | None:
    """The member of a question that a host means which names one of chat completions. A place within it is left out."""
    if param is None:
        return None
    member = re.split(r"[.\[]", param, maxsplit=1)[0]
    if member == "tools":
        return param.replace(".function", "")
    return _CALLED_HERE.get(member, param)


def tokens(body: bytes, count: Count) -> int:
    """About how many tokens a model reads of a body that has texts alone: its host's own form of them is not known."""
    members = msgspec.json.decode(body)
    found = _PRIMING_TOKENS
    for message in members["messages"]:
        values = [value for name, value in message.items() if name != "role" and value is not None]
        found += _MESSAGE_TOKENS + sum(count(text) for value in values for text in _texts(value))
    others = [members[name] for name in ("tools", "response_format") if name in members]
    return found + sum(count(text) for value in others for text in _texts(value))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, list) and all(part.get("type") == "text" for part in value):
        for part in value:
            yield from _texts(part["text"])
        return
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    yield from (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))


def _add_call(said: list[Message], item: Resource) -> None:
    """Calls stand in the message of the assistant that comes right before them, as they do in an answer."""
    if not said or said[-1]["role"] != "assistant":
        said.append({"role": "assistant", "content": None})
    function = {"name": item["name"], "arguments": item["arguments"]}
    said[-1].setdefault("tool_calls", []).append({"id": item["call_id"], "type": "function", "function": function})


def _add_message(said: list[Message], item: Resource) -> None:
    if item["role"] != "assistant":
        said.append({"role": item["role"], "content": _content(item["content"])})
        return
    texts = [part["text"] for part in item["content"] if part["type"] == "output_text"]
    refusals = [part["refusal"] for part in item["content"] if part["type"] == "refusal"]
    message: Message = {"role": "assistant", "content": "".join(texts) if texts or not refusals else None}
    if refusals:
        message["refusal"] = "".join(refusals)
    if said and said[-1].get("tool_calls") and said[-1]["content"] is None:
        said[-1] |= message  # said along with calls, whose results must come next
    else:
        said.append(message)


def _content(given: str | list[Resource]) -> str | list[dict[str, Any]]:
    """Contents of a message; a text alone is a string, which every host takes."""
    if isinstance(given, str):
        return given
    if len(given) == 1 and given[0]["type"] == "input_text":
        return str(given[0]["text"])
    return [_part(part) for part in given]


def _part(part: Resource) -> dict[str, Any]:
    if part["type"] == "input_text":
        return {"type": "text", "text": part["text"]}
    if part["type"] == "input_image":
        detail = "high" if part["detail"] == "original" else part["detail"]  # chat completions know three of them
        return {"type": "image_url", "image_url": {"url": part["image_url"], "detail": detail}}
    file = {name: part[name] for name in ("filename", "file_data") if name in part}
    return {"type": "file", "file": file}


def _form(asked: Body) -> Mapping[str, Any]:
    """What is asked of the answer's form. Plain text is what there is without asking."""
    text = asked.text
    if text is None:
        return {}
    members: dict[str, Any] = {} if text.verbosity is None else {"verbosity": text.verbosity}
    form = msgspec.to_builtins(text.format) if text.format is not None else {"type": "text"}
    kind = form.pop("type")
    if kind == "json_object":
        members["response_format"] = {"type": "json_object"}
    elif kind == "json_schema":
        given = {name: value for name, value in form.items() if value is not None}
        members["response_format"] = {"type": "json_schema", "json_schema": given}
    return members
