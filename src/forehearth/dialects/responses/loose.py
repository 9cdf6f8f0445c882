"""A question that only a host with this API can be asked, because it has what nobody here knows.

Read is what its state needs; all else is the host's to judge, and is handed on to it as it came.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from forehearth.core.errors import InvalidField, Refused
from forehearth.dialects.responses import asked, items, problems
from forehearth.dialects.responses.asked import Body, Conversation, Question
from forehearth.dialects.responses.items import NewId, Resource
from forehearth.dialects.responses.tools import Tools

_PREFIXES: Final[Mapping[str, str]] = {"mcp_approval_response": "mcpr", "computer_call_output": "cuo"}
"""Of ids that are made for items, where the first letters of their kind are not what their ids begin with."""


class _State(msgspec.Struct, frozen=True, kw_only=True):
    """The members that say what is kept, and how it is answered."""

    model: str | None = None
    input: str | list[Any] | None = None
    instructions: Any = None
    previous_response_id: str | None = None
    conversation: str | Conversation | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    background: bool | None = None
    max_output_tokens: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] | None = None
    metadata: dict[str, Any] | None = None
    truncation: str | None = None
    include: list[Any] | None = None
    reasoning: dict[str, Any] | None = None


def read(members: dict[str, Any], new_id: NewId) -> Question:
    """The question. Raises `InvalidField` for what its state cannot be read of."""
    state = problems.read(members, _State)
    body = Body(
        model=state.model,
        input=state.input,
        instructions=state.instructions if isinstance(state.instructions, str) else None,
        previous_response_id=state.previous_response_id,
        conversation=state.conversation,
        store=state.store,
        stream=state.stream,
        background=state.background,
        max_output_tokens=state.max_output_tokens,
        metadata=state.metadata,
        truncation=state.truncation,
    )
    asked.check_state(body)
    given = read_items(state.input if state.input is not None else [], new_id)
    return Question(
        body=body,
        items=given,
        tools=Tools(),
        members=members | {"input": list(given)},
        loose=True,
    )


def read_items(given: str | list[Any], new_id: NewId, at: str = "input") -> tuple[Resource, ...]:
    """The items: those that are known as resources, and others as they came, with an id. Raises `InvalidField`."""
    if isinstance(given, str):
        return items.read(given, new_id, at)
    if len(given) > items.MOST:
        raise InvalidField(f"Invalid '{at}': array too long. Expected at most {items.MOST} items.", param=at)
    return tuple(_item(value, new_id, f"{at}[{index}]") for index, value in enumerate(given))


def _item(value: object, new_id: NewId, at: str) -> Resource:
    if not isinstance(value, dict):
        raise InvalidField(f"Invalid value for '{at}': expected an object.", param=at)
    try:
        return items.read_one(value, at, new_id)
    except Refused:
        kind = value.get("type") or "message"
        if not isinstance(kind, str) or kind == "item_reference":
            raise
    own = value.get("id")
    if own is not None and not isinstance(own, str):
        raise InvalidField(f"Invalid type for '{at}.id': expected a string.", param=f"{at}.id")
    return value | {"id": own or new_id(_prefix(kind)), "type": kind}


def _prefix(kind: str) -> str:
    if kind == "message":
        return "msg"
    return _PREFIXES.get(kind) or "".join(word[:1] for word in kind.split("_")) or "item"
