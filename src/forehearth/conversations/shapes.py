"""What a request's items have to carry, kind by kind; what else they have is theirs.

Source: `InputItem` and `Item` in OpenAI's specification. `id` and `status` of every item are looked at apart.
"""

from typing import Any

import msgspec

Objects = list[dict[str, Any]]
Output = str | list[dict[str, Any]]


class Shape(msgspec.Struct, kw_only=True):
    """The least of an item."""


class Message(Shape, kw_only=True):
    """`content` is a text, or parts."""

    role: str
    content: str | Objects
    phase: str | None = None


class InputText(Shape, kw_only=True):
    """A part of a message to the model."""

    text: str


class InputImage(Shape, kw_only=True):
    """A picture, by its address, in a `data:` URL, or as a file."""

    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None


class InputFile(Shape, kw_only=True):
    """A file, by its id, its address or its content."""

    file_id: str | None = None
    filename: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    detail: str | None = None


class OutputText(Shape, kw_only=True):
    """A part of a model's message."""

    text: str
    annotations: Objects | None = None
    logprobs: Objects | None = None


class Refusal(Shape, kw_only=True):
    """A model's refusal."""

    refusal: str


class Called(Shape, kw_only=True):
    """What belongs to a call of a tool."""

    call_id: str


class FunctionCall(Called, kw_only=True):
    """A model asks for a function of the caller's."""

    name: str
    arguments: str
    namespace: str | None = None
    caller: dict[str, Any] | None = None


class FunctionCallOutput(Shape, kw_only=True):
    """What the function returned. The specification lets `call_id` be null."""

    output: Output
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    caller: dict[str, Any] | None = None


class CustomToolCall(Called, kw_only=True):
    """A model asks for a custom tool."""

    name: str
    input: str
    namespace: str | None = None
    caller: dict[str, Any] | None = None


class CustomToolCallOutput(Called, kw_only=True):
    """What the custom tool returned."""

    output: Output
    caller: dict[str, Any] | None = None


class FileSearchCall(Shape, kw_only=True):
    """A search in vector stores."""

    queries: list[str]
    results: Objects | None = None


class WebSearchCall(Shape, kw_only=True):
    """A search in the web."""

    action: dict[str, Any]


class ImageGenerationCall(Shape, kw_only=True):
    """A picture, in base64."""

    result: str | None


class ComputerCall(Called, kw_only=True):
    """What a model does with a computer."""

    pending_safety_checks: Objects
    action: dict[str, Any] | None = None
    actions: Objects | None = None


class ComputerCallOutput(Called, kw_only=True):
    """The screen after it."""

    output: dict[str, Any]
    acknowledged_safety_checks: Objects | None = None


class ToolSearchCall(Shape, kw_only=True):
    """A search for tools."""

    arguments: Any
    call_id: str | None = None
    execution: str | None = None


class ToolSearchOutput(Shape, kw_only=True):
    """The tools that were found."""

    tools: Objects
    call_id: str | None = None
    execution: str | None = None


class AdditionalTools(Shape, kw_only=True):
    """Tools that are there from this item on."""

    tools: Objects
    role: str


class Reasoning(Shape, kw_only=True):
    """How a model came to its answer."""

    summary: Objects
    content: Objects | None = None
    encrypted_content: str | None = None


class Program(Called, kw_only=True):
    """Code that calls tools."""

    code: str
    fingerprint: str


class ProgramOutput(Called, kw_only=True):
    """What the code came to."""

    result: str


class Compaction(Shape, kw_only=True):
    """What a longer conversation was made into."""

    encrypted_content: str


class CodeInterpreterCall(Shape, kw_only=True):
    """Code that was run, and what it put out."""

    container_id: str
    code: str | None = None
    outputs: Objects | None = None


class LocalShellCall(Called, kw_only=True):
    """A command for the caller's shell."""

    action: dict[str, Any]


class LocalShellCallOutput(Shape, kw_only=True):
    """What the command put out."""

    output: str
    call_id: str | None = None


class ShellAction(msgspec.Struct, kw_only=True):
    """Commands, and their bounds."""

    commands: list[str]
    timeout_ms: int | None = None
    max_output_length: int | None = None


class ShellCall(Called, kw_only=True):
    """Commands for a shell."""

    action: ShellAction
    environment: dict[str, Any] | None = None
    caller: dict[str, Any] | None = None


class ShellCallOutput(Called, kw_only=True):
    """What the commands put out."""

    output: Objects
    max_output_length: int | None = None
    caller: dict[str, Any] | None = None


class ApplyPatchCall(Called, kw_only=True):
    """A change to a file of the caller's."""

    operation: dict[str, Any]
    caller: dict[str, Any] | None = None


class ApplyPatchCallOutput(Called, kw_only=True):
    """What the change came to."""

    output: str | None = None
    caller: dict[str, Any] | None = None


class McpListTools(Shape, kw_only=True):
    """The tools of an MCP server."""

    server_label: str
    tools: Objects
    error: str | None = None


class McpApprovalRequest(Shape, kw_only=True):
    """Whether a tool of an MCP server may be called."""

    server_label: str
    name: str
    arguments: str


class McpApprovalResponse(Shape, kw_only=True):
    """Whether it may."""

    approval_request_id: str
    approve: bool
    reason: str | None = None


class McpCall(Shape, kw_only=True):
    """A call of an MCP server's tool, and what it came to."""

    server_label: str
    name: str
    arguments: str
    output: str | None = None
    error: str | dict[str, Any] | None = None
    approval_request_id: str | None = None


class OpenApiCall(Called, kw_only=True):
    """A call of an API's operation for an agent."""

    name: str
    arguments: str


class OpenApiCallOutput(Called, kw_only=True):
    """What the API answered."""

    name: str
    output: str


class StructuredOutputs(Shape, kw_only=True):
    """What an agent's model put into a form."""

    output: Any
