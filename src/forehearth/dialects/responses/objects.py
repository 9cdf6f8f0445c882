"""A response as the API shows it: every documented member, those with nothing to say as null.

What is not known is not made up: `temperature` and `top_p` are null where nobody set them, because the model's host
then decides; `usage` is null where the host reported none.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from forehearth.core.usage import Usage
from forehearth.dialects.responses import remote_tools
from forehearth.dialects.responses.asked import Question
from forehearth.dialects.responses.items import Resource


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same in every state of one response."""

    id: str
    created_at: int
    """Unix seconds."""
    question: Question


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of it."""

    status: str = "in_progress"
    """`queued`, `in_progress`, `completed`, `incomplete`, `failed` or `cancelled`."""
    output: Sequence[Resource] = ()
    completed_at: int | None = None
    """Unix seconds; None unless it is completed."""
    error: Mapping[str, Any] | None = None
    """`code` and `message`, where it failed."""
    reason: str | None = None
    """Why it is incomplete: `max_output_tokens` or `content_filter`."""
    usage: Usage | None = None
    service_tier: str | None = None
    """The one that the host says it used."""
    host: Mapping[str, Any] | None = None
    """The response as its host shows it, where the host has this API itself: what it says, it says best."""


_ASKED: Final = (
    *("instructions", "max_tool_calls", "parallel_tool_calls", "prompt", "prompt_cache_key", "prompt_cache_retention"),
    *("reasoning", "safety_identifier", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p"),
    *("truncation", "user"),
)
"""What a response says of its question."""
OF_HERE: Final = ("id", "previous_response_id", "conversation", "store", "background")
"""What a host cannot know of a response that is kept here."""
_OF_STATE: Final = ("status", "output", "error")


def whole(frame: Frame, state: State) -> dict[str, Any]:
    """The response in that state."""
    shown = _whole(frame, state)
    if frame.question.loose:
        members = frame.question.members
        shown |= {name: members[name] for name in _ASKED if members.get(name) is not None}
        shown["tools"] = remote_tools.without_secrets(shown["tools"])
    if state.host is None:
        return shown
    own = {name: shown[name] for name in (*OF_HERE, *_OF_STATE)} | made_by(frame, "agent_reference")
    if shown["background"]:
        own["created_at"] = shown["created_at"]
    found = shown | {name: value for name, value in state.host.items() if name != "usage"} | own
    return found | {"usage": _usage_of(state.host), "tools": remote_tools.without_secrets(found["tools"])}


def _usage_of(host: Mapping[str, Any]) -> Any:
    """What the host says that it used. Clients need numbers in the details."""
    said = host.get("usage")
    if not isinstance(said, dict):
        return None
    details: dict[str, Any] = {
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    missing = {
        name: value | given if isinstance(given := said.get(name) or {}, dict) else given
        for name, value in details.items()
    }
    return said | missing


def _whole(frame: Frame, state: State) -> dict[str, Any]:
    question, asked = frame.question, frame.question.body
    return {
        "id": frame.id,
        "object": "response",
        "created_at": frame.created_at,
        "status": state.status,
        "background": bool(asked.background),
        "completed_at": state.completed_at,
        "conversation": None if question.conversation is None else {"id": question.conversation},
        "error": state.error,
        "frequency_penalty": 0.0,
        "incomplete_details": None if state.reason is None else {"reason": state.reason},
        "instructions": asked.instructions,
        "max_output_tokens": asked.max_output_tokens,
        "max_tool_calls": asked.max_tool_calls,
        "metadata": asked.metadata or {},
        "model": asked.model,
        "moderation": None,
        "output": list(state.output),
        "parallel_tool_calls": asked.parallel_tool_calls is not False,
        "presence_penalty": 0.0,
        "previous_response_id": asked.previous_response_id,
        "prompt": None,
        "prompt_cache_key": asked.prompt_cache_key,
        "prompt_cache_options": None,
        "prompt_cache_retention": asked.prompt_cache_retention,
        "reasoning": _reasoning(question),
        "safety_identifier": asked.safety_identifier,
        "service_tier": state.service_tier,
        "store": question.stored,
        "temperature": asked.temperature,
        "text": _text(question),
        "tool_choice": question.tools.choice,
        "tools": list(question.tools.shown),
        "top_logprobs": asked.top_logprobs or 0,
        "top_p": asked.top_p,
        "truncation": asked.truncation or "disabled",
        "usage": None if state.usage is None else usage(state.usage),
        "user": asked.user,
    } | made_by(frame, "agent_reference")


def made_by(frame: Frame, *members: str) -> dict[str, Any]:
    """What the response of an agent and its items say of who made them: by name, those `members` of it."""
    agent = frame.question.agent
    if agent is None:
        return {}
    said = {"agent_reference": agent.shown(), "response_id": frame.id}
    return {name: said[name] for name in members}


def usage(used: Usage) -> dict[str, Any]:
    """Tokens, by this API's names. Its clients need numbers in the details: 0 where a host does not tell them apart."""
    return {
        "input_tokens": used.prompt,
        "input_tokens_details": {"cached_tokens": used.cached, "cache_write_tokens": 0},
        "output_tokens": used.completion,
        "output_tokens_details": {"reasoning_tokens": used.reasoning},
        "total_tokens": used.prompt + used.completion,
    }


def _reasoning(question: Question) -> dict[str, Any]:
    """What was asked of the model's thinking. Summaries are not made here, so none is promised."""
    reasoning = question.body.reasoning
    return {"effort": None if reasoning is None else reasoning.effort, "summary": None}


def _text(question: Question) -> dict[str, Any]:
    text = question.body.text
    form = {"type": "text"} if text is None or text.format is None else msgspec.to_builtins(text.format)
    shown = {name: value for name, value in form.items() if name != "description" or value is not None}
    return {"format": shown, "verbosity": (None if text is None else text.verbosity) or "medium"}
