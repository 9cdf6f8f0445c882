"""The kinds of items that a conversation can have: what their ids begin with, what they carry, how they are shown.

Source: `InputItem`, which a request may carry, and `ConversationItem`, which is shown, in OpenAI's specification. What
is shown has every member that the specification requires, and every one that it lets be null; what it lets only a
request leave null is left out.
"""

from collections.abc import Mapping

import msgspec

from forehearth.conversations import shapes
from forehearth.conversations.shapes import Shape

COMPLETED = "completed"
_USUAL = ("in_progress", COMPLETED, "incomplete")


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of item, or of a message's parts."""

    shape: type[Shape]
    prefix: str = ""
    """Of the ids that are made for it."""
    begins: str = ""
    """With what the service says that an id has to begin; empty where it is not known that it says so."""
    statuses: tuple[str, ...] = ()
    """Those it can have, `completed` among them; empty where it has none."""
    filled: Mapping[str, object] = {}
    """What it is shown with where it came without, or with null."""
    dropped: tuple[str, ...] = ()
    """What is not shown where it is null."""


def _call(shape: type[Shape], prefix: str, *, begins: str = "", **filled: object) -> Kind:
    return Kind(shape=shape, prefix=prefix, begins=begins, statuses=_USUAL, filled=filled)


def _plain(shape: type[Shape], prefix: str, *, begins: str = "", **filled: object) -> Kind:
    return Kind(shape=shape, prefix=prefix, begins=begins, filled=filled)


KINDS: Mapping[str, Kind] = {
    "message": _call(shapes.Message, "msg", begins="msg", phase=None),
    "function_call": Kind(
        shape=shapes.FunctionCall,
        prefix="fc",
        begins="fc",
        statuses=_USUAL,
        filled={"caller": None},
        dropped=("namespace",),
    ),
    "function_call_output": Kind(
        shape=shapes.FunctionCallOutput,
        prefix="fco",
        begins="fc",
        statuses=_USUAL,
        filled={"caller": None},
        dropped=("call_id", "name", "namespace"),
    ),
    "custom_tool_call": Kind(
        shape=shapes.CustomToolCall, prefix="ctc", begins="ctc", filled={"caller": None}, dropped=("namespace",)
    ),
    "custom_tool_call_output": _plain(shapes.CustomToolCallOutput, "ctco", begins="ctc", caller=None),
    "file_search_call": Kind(
        shape=shapes.FileSearchCall,
        prefix="fs",
        begins="fs",
        statuses=(*_USUAL, "searching", "failed"),
        filled={"results": None},
    ),
    "web_search_call": Kind(
        shape=shapes.WebSearchCall,
        prefix="ws",
        begins="ws",
        statuses=("in_progress", "searching", COMPLETED, "failed"),
    ),
    "image_generation_call": Kind(
        shape=shapes.ImageGenerationCall,
        prefix="ig",
        begins="ig",
        statuses=("in_progress", COMPLETED, "generating", "failed"),
    ),
    "computer_call": Kind(
        shape=shapes.ComputerCall, prefix="cu", begins="cu", statuses=_USUAL, dropped=("action", "actions")
    ),
    "computer_call_output": Kind(
        shape=shapes.ComputerCallOutput, prefix="cuo", statuses=_USUAL, dropped=("acknowledged_safety_checks",)
    ),
    "tool_search_call": _call(shapes.ToolSearchCall, "tsc", call_id=None, execution="server"),
    "tool_search_output": _call(shapes.ToolSearchOutput, "tso", call_id=None, execution="server"),
    "additional_tools": _plain(shapes.AdditionalTools, "at"),
    "reasoning": Kind(
        shape=shapes.Reasoning,
        prefix="rs",
        begins="rs",
        statuses=_USUAL,
        filled={"encrypted_content": None},
        dropped=("content",),
    ),
    "program": _plain(shapes.Program, "prog"),
    "program_output": Kind(shape=shapes.ProgramOutput, prefix="progo", statuses=(COMPLETED, "incomplete")),
    "compaction": _plain(shapes.Compaction, "cmp"),
    "code_interpreter_call": Kind(
        shape=shapes.CodeInterpreterCall,
        prefix="ci",
        begins="ci",
        statuses=(*_USUAL, "interpreting", "failed"),
        filled={"code": None, "outputs": None},
    ),
    "local_shell_call": _call(shapes.LocalShellCall, "lsh"),
    "local_shell_call_output": Kind(
        shape=shapes.LocalShellCallOutput, prefix="lsho", statuses=_USUAL, dropped=("call_id",)
    ),
    "shell_call": _call(shapes.ShellCall, "sh", environment=None, caller=None),
    "shell_call_output": _call(shapes.ShellCallOutput, "sho", max_output_length=None, caller=None),
    "apply_patch_call": Kind(
        shape=shapes.ApplyPatchCall, prefix="apc", statuses=("in_progress", COMPLETED), filled={"caller": None}
    ),
    "apply_patch_call_output": Kind(
        shape=shapes.ApplyPatchCallOutput,
        prefix="apco",
        statuses=(COMPLETED, "failed"),
        filled={"output": None, "caller": None},
    ),
    "mcp_list_tools": _plain(shapes.McpListTools, "mcpl", begins="mcpl", error=None),
    "mcp_approval_request": _plain(shapes.McpApprovalRequest, "mcpr", begins="mcpr"),
    "mcp_approval_response": _plain(shapes.McpApprovalResponse, "mcpa", reason=None),
    "mcp_call": Kind(
        shape=shapes.McpCall,
        prefix="mcp",
        begins="mcp",
        filled={"output": None, "error": None, "approval_request_id": None},
        dropped=("status",),
    ),
}
"""By the `type` of an item, as OpenAI has them."""
OF_AGENTS: Mapping[str, Kind] = {
    "openapi_call": Kind(shape=shapes.OpenApiCall, prefix="oa", statuses=(*_USUAL, "failed")),
    "openapi_call_output": Kind(shape=shapes.OpenApiCallOutput, prefix="oao", statuses=(*_USUAL, "failed")),
    "structured_outputs": _plain(shapes.StructuredOutputs, "so"),
}
"""Items of agents besides, of which the service alone knows."""

INPUT_PARTS: Mapping[str, Kind] = {
    "input_text": Kind(shape=shapes.InputText),
    "input_image": Kind(shape=shapes.InputImage, filled={"image_url": None, "file_id": None, "detail": "auto"}),
    "input_file": Kind(
        shape=shapes.InputFile, filled={"file_id": None}, dropped=("filename", "file_data", "file_url", "detail")
    ),
}
OUTPUT_PARTS: Mapping[str, Kind] = {
    "output_text": Kind(shape=shapes.OutputText, filled={"annotations": (), "logprobs": ()}),
    "refusal": Kind(shape=shapes.Refusal),
}
PARTS: Mapping[str, Mapping[str, Kind]] = {
    "user": INPUT_PARTS,
    "assistant": OUTPUT_PARTS,
    "system": INPUT_PARTS,
    "developer": INPUT_PARTS,
}
"""What a message consists of, by its role."""
TEXT = {"user": "input_text", "assistant": "output_text", "system": "input_text", "developer": "input_text"}
"""What a message's `content` is that is a text alone."""
