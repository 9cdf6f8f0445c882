"""Assistants, threads, messages, runs and steps: what is shown of them is what is kept of them, null members included.

Source: the objects of `/assistants` and `/threads` in OpenAI's specification. Foundry's classic agents have the same.
Moments are whole Unix seconds.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import msgspec

from forehearth.core.usage import Usage
from forehearth.dialects.assistants.states import Status

Json = dict[str, Any]
StepStatus = Literal["in_progress", "cancelled", "failed", "completed", "expired"]
MessageStatus = Literal["in_progress", "incomplete", "completed"]


class Assistant(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="assistant"):
    """A model, what it is told, and its tools."""

    id: str
    created_at: int
    name: str | None = None
    description: str | None = None
    model: str
    instructions: str | None = None
    tools: list[Json] = []
    tool_resources: Json = {}
    metadata: Mapping[str, str] = {}
    temperature: float | None = None
    top_p: float | None = None
    response_format: str | Json = "auto"


class Thread(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="thread"):
    """What messages hang under."""

    id: str
    created_at: int
    tool_resources: Json = {}
    metadata: Mapping[str, str] = {}


class Reason(msgspec.Struct, frozen=True):
    """Why something is incomplete."""

    reason: str


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="thread.message"):
    """What somebody said in a thread."""

    id: str
    created_at: int
    assistant_id: str | None = None
    thread_id: str
    run_id: str | None = None
    status: MessageStatus = "completed"
    incomplete_details: Reason | None = None
    completed_at: int | None = None
    incomplete_at: int | None = None
    role: Literal["user", "assistant"]
    content: list[Json]
    attachments: list[Json] = []
    metadata: Mapping[str, str] = {}


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What a run, or a step of one, used."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0

    @classmethod
    def of(cls, usage: Usage) -> "Tokens":
        """Of one call to a model."""
        both = usage.prompt + usage.completion
        return cls(prompt_tokens=usage.prompt, completion_tokens=usage.completion, total_tokens=both)

    def plus(self, other: "Tokens | None") -> "Tokens":
        """Both together."""
        if other is None:
            return self
        return Tokens(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
        )


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run, or a step of one, failed: `server_error`, `rate_limit_exceeded` or `invalid_prompt`."""

    code: str
    message: str


class Run(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="thread.run"):
    """An assistant's answer to a thread, while it comes into being and after."""

    id: str
    created_at: int
    assistant_id: str
    thread_id: str
    status: Status = Status.QUEUED
    started_at: int | None = None
    expires_at: int | None = None
    cancelled_at: int | None = None
    failed_at: int | None = None
    completed_at: int | None = None
    required_action: Json | None = None
    last_error: Error | None = None
    model: str
    instructions: str = ""
    tools: list[Json] = []
    metadata: Mapping[str, str] = {}
    temperature: float | None = None
    top_p: float | None = None
    max_completion_tokens: int | None = None
    max_prompt_tokens: int | None = None
    truncation_strategy: Json = msgspec.field(default_factory=lambda: {"type": "auto", "last_messages": None})
    incomplete_details: Reason | None = None
    usage: Tokens | None = None
    response_format: str | Json = "auto"
    tool_choice: str | Json = "auto"
    parallel_tool_calls: bool = True


class Step(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="thread.run.step"):
    """One thing that was done in a run: a message was written, or functions were called."""

    id: str
    created_at: int
    run_id: str
    assistant_id: str
    thread_id: str
    type: Literal["message_creation", "tool_calls"]
    status: StepStatus = "in_progress"
    cancelled_at: int | None = None
    completed_at: int | None = None
    expired_at: int | None = None
    failed_at: int | None = None
    last_error: Error | None = None
    step_details: Json
    usage: Tokens | None = None
    metadata: Mapping[str, str] = {}


Item = Message | Step
Early = Literal["cancelled", "failed", "expired"]
"""How a message or step can end before it is done."""
T = TypeVar("T", Message, Step)


def ended(item: T, how: Early, now: int, error: Error | None = None) -> T:
    """A message or step of a run that ended before it was done."""
    if isinstance(item, Message):
        return msgspec.structs.replace(
            item, status="incomplete", incomplete_details=Reason(f"run_{how}"), incomplete_at=now
        )
    return msgspec.structs.replace(item, status=how, last_error=error, **{f"{how}_at": now})


def with_outputs(step: Step, given: Mapping[str, str], now: int) -> Step:
    """A step that called functions, with what each of its calls gave."""
    calls = [
        call | {"function": call["function"] | {"output": given[call["id"]]}}
        for call in step.step_details["tool_calls"]
    ]
    return msgspec.structs.replace(
        step, status="completed", completed_at=now, step_details={"type": "tool_calls", "tool_calls": calls}
    )


def text_part(text: str) -> Json:
    """A text as a content of a message."""
    return {"type": "text", "text": {"value": text, "annotations": []}}
