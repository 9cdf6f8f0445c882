"""Which events follow on what, while a response comes into being: one table, in which every way is written down.

A response is `new`; one that is made in the background is `queued` until it has its turn. Then it is being written:
nothing is open (`idle`), or an item is, at its reasoning, its text, its refusal or its call of a function. When the
model has said all, it is `said`; the last event makes it `over`. What the table does not have cannot happen.

One that is made in the background may lose whoever makes it. Then it is begun again where it is: what is open is
closed, and what comes now comes behind it.

An item is closed when the next one opens, as on the service. There is one exception, which `answer` makes: hosts that
write several calls at the same time get each of them closed when its arguments are whole, or at the end.

Tools that are called here come between two answers of the model: when it has said all and wants some of them, they are
called one after the other, and it is asked again. Nothing else is open meanwhile.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where the response is."""

    NEW = "new"
    QUEUED = "queued"
    IDLE = "idle"
    REASONING = "reasoning"
    TEXT = "text"
    REFUSAL = "refusal"
    CALL = "call"
    LISTING = "listing"
    TOOL = "tool"
    OPERATION = "operation"
    SHOWING = "showing"
    SAID = "said"
    OVER = "over"


class Step(StrEnum):
    """What comes."""

    QUEUE = "it has to wait"
    BEGIN = "the call begins"
    AGAIN = "it is begun again"
    REASONING = "reasoning"
    TEXT = "text"
    REFUSAL = "a refusal"
    CALL = "a new call"
    ARGUMENTS = "arguments"
    END = "the end of the answer"
    LIST = "a server is asked for its tools"
    LISTED = "its list is there"
    UNLISTED = "it has none"
    TOOL = "a call of an MCP server's tool"
    OPERATION = "a call of an API's operation"
    RETURNED = "the tool answered"
    FAULT = "the tool failed"
    SHOW = "an item that is whole"
    SHOWN = "the end of it"
    ONWARD = "tools are called before the model goes on"
    COMPLETE = "it ended by itself"
    CUT = "it was cut short"
    BREAK = "the stream breaks off"


CREATED: Final = "response.created"
QUEUED: Final = "response.queued"
IN_PROGRESS: Final = "response.in_progress"
COMPLETED: Final = "response.completed"
INCOMPLETE: Final = "response.incomplete"
FAILED: Final = "response.failed"
ERROR: Final = "error"
ITEM_ADDED: Final = "response.output_item.added"
ITEM_DONE: Final = "response.output_item.done"
PART_ADDED: Final = "response.content_part.added"
PART_DONE: Final = "response.content_part.done"
TEXT_DELTA: Final = "response.output_text.delta"
TEXT_DONE: Final = "response.output_text.done"
REFUSAL_DELTA: Final = "response.refusal.delta"
REFUSAL_DONE: Final = "response.refusal.done"
REASONING_DELTA: Final = "response.reasoning_text.delta"
REASONING_DONE: Final = "response.reasoning_text.done"
ARGUMENTS_DELTA: Final = "response.function_call_arguments.delta"
ARGUMENTS_DONE: Final = "response.function_call_arguments.done"
LIST_IN_PROGRESS: Final = "response.mcp_list_tools.in_progress"
LIST_COMPLETED: Final = "response.mcp_list_tools.completed"
LIST_FAILED: Final = "response.mcp_list_tools.failed"
TOOL_IN_PROGRESS: Final = "response.mcp_call.in_progress"
TOOL_ARGUMENTS_DELTA: Final = "response.mcp_call_arguments.delta"
TOOL_ARGUMENTS_DONE: Final = "response.mcp_call_arguments.done"
TOOL_COMPLETED: Final = "response.mcp_call.completed"
TOOL_FAILED: Final = "response.mcp_call.failed"

CALLED: Final = (ARGUMENTS_DONE, ITEM_DONE)
"""How a call is closed."""
DELTAS: Final = frozenset({TEXT_DELTA, REFUSAL_DELTA, REASONING_DELTA, ARGUMENTS_DELTA, TOOL_ARGUMENTS_DELTA})
CLOSING: Final = frozenset(
    {REASONING_DONE, TEXT_DONE, REFUSAL_DONE, ARGUMENTS_DONE, PART_DONE, ITEM_DONE}
    | {LIST_COMPLETED, LIST_FAILED, TOOL_COMPLETED, TOOL_FAILED}
)
OF_RESPONSE: Final = frozenset({CREATED, QUEUED, IN_PROGRESS, COMPLETED, INCOMPLETE, FAILED})
"""The events that show the whole response."""
_THOUGHT = (REASONING_DONE, PART_DONE, ITEM_DONE)
_SPOKEN = (TEXT_DONE, PART_DONE, ITEM_DONE)
_REFUSED = (REFUSAL_DONE, PART_DONE, ITEM_DONE)
_THINK = (ITEM_ADDED, PART_ADDED, REASONING_DELTA)
_SPEAK = (ITEM_ADDED, PART_ADDED, TEXT_DELTA)
_REFUSE = (ITEM_ADDED, PART_ADDED, REFUSAL_DELTA)
_CALL = (ITEM_ADDED,)
_TOOL = (ITEM_ADDED, TOOL_IN_PROGRESS, TOOL_ARGUMENTS_DELTA, TOOL_ARGUMENTS_DONE)

TABLE: Final[Mapping[tuple[State, Step], tuple[tuple[str, ...], State]]] = {
    (State.NEW, Step.BEGIN): ((CREATED, IN_PROGRESS), State.IDLE),
    (State.NEW, Step.QUEUE): ((CREATED, QUEUED), State.QUEUED),
    (State.QUEUED, Step.BEGIN): ((IN_PROGRESS,), State.IDLE),
    (State.IDLE, Step.AGAIN): ((), State.IDLE),
    (State.IDLE, Step.REASONING): (_THINK, State.REASONING),
    (State.IDLE, Step.TEXT): (_SPEAK, State.TEXT),
    (State.IDLE, Step.REFUSAL): (_REFUSE, State.REFUSAL),
    (State.IDLE, Step.CALL): (_CALL, State.CALL),
    (State.IDLE, Step.END): ((), State.SAID),
    (State.REASONING, Step.AGAIN): (_THOUGHT, State.IDLE),
    (State.REASONING, Step.REASONING): ((REASONING_DELTA,), State.REASONING),
    (State.REASONING, Step.TEXT): ((*_THOUGHT, *_SPEAK), State.TEXT),
    (State.REASONING, Step.REFUSAL): ((*_THOUGHT, *_REFUSE), State.REFUSAL),
    (State.REASONING, Step.CALL): ((*_THOUGHT, *_CALL), State.CALL),
    (State.REASONING, Step.END): (_THOUGHT, State.SAID),
    (State.TEXT, Step.AGAIN): (_SPOKEN, State.IDLE),
    (State.TEXT, Step.REASONING): ((*_SPOKEN, *_THINK), State.REASONING),
    (State.TEXT, Step.TEXT): ((TEXT_DELTA,), State.TEXT),
    (State.TEXT, Step.REFUSAL): ((TEXT_DONE, PART_DONE, PART_ADDED, REFUSAL_DELTA), State.REFUSAL),
    (State.TEXT, Step.CALL): ((*_SPOKEN, *_CALL), State.CALL),
    (State.TEXT, Step.END): (_SPOKEN, State.SAID),
    (State.REFUSAL, Step.AGAIN): (_REFUSED, State.IDLE),
    (State.REFUSAL, Step.REASONING): ((*_REFUSED, *_THINK), State.REASONING),
    (State.REFUSAL, Step.TEXT): ((REFUSAL_DONE, PART_DONE, PART_ADDED, TEXT_DELTA), State.TEXT),
    (State.REFUSAL, Step.REFUSAL): ((REFUSAL_DELTA,), State.REFUSAL),
    (State.REFUSAL, Step.CALL): ((*_REFUSED, *_CALL), State.CALL),
    (State.REFUSAL, Step.END): (_REFUSED, State.SAID),
    (State.CALL, Step.AGAIN): (CALLED, State.IDLE),
    (State.CALL, Step.REASONING): ((*CALLED, *_THINK), State.REASONING),
    (State.CALL, Step.TEXT): ((*CALLED, *_SPEAK), State.TEXT),
    (State.CALL, Step.REFUSAL): ((*CALLED, *_REFUSE), State.REFUSAL),
    (State.CALL, Step.CALL): ((*CALLED, *_CALL), State.CALL),
    (State.CALL, Step.ARGUMENTS): ((ARGUMENTS_DELTA,), State.CALL),
    (State.CALL, Step.END): (CALLED, State.SAID),
    (State.IDLE, Step.LIST): ((ITEM_ADDED, LIST_IN_PROGRESS), State.LISTING),
    (State.LISTING, Step.LISTED): ((LIST_COMPLETED, ITEM_DONE), State.IDLE),
    (State.LISTING, Step.UNLISTED): ((LIST_FAILED, ITEM_DONE), State.IDLE),
    (State.LISTING, Step.AGAIN): ((LIST_FAILED, ITEM_DONE), State.IDLE),
    (State.IDLE, Step.TOOL): (_TOOL, State.TOOL),
    (State.TOOL, Step.RETURNED): ((TOOL_COMPLETED, ITEM_DONE), State.IDLE),
    (State.TOOL, Step.FAULT): ((TOOL_FAILED, ITEM_DONE), State.IDLE),
    (State.TOOL, Step.AGAIN): ((), State.TOOL),
    (State.IDLE, Step.OPERATION): ((ITEM_ADDED,), State.OPERATION),
    (State.OPERATION, Step.RETURNED): ((ITEM_DONE,), State.IDLE),
    (State.OPERATION, Step.AGAIN): ((), State.OPERATION),
    (State.IDLE, Step.SHOW): ((ITEM_ADDED,), State.SHOWING),
    (State.SHOWING, Step.SHOWN): ((ITEM_DONE,), State.IDLE),
    (State.SHOWING, Step.AGAIN): ((ITEM_DONE,), State.IDLE),
    (State.SAID, Step.ONWARD): ((), State.IDLE),
    (State.SAID, Step.COMPLETE): ((COMPLETED,), State.OVER),
    (State.SAID, Step.CUT): ((INCOMPLETE,), State.OVER),
    **{(state, Step.BREAK): ((FAILED,), State.OVER) for state in State if state not in (State.NEW, State.OVER)},
}
"""By where the response is and what comes: the events, in their order, and where it is then."""
