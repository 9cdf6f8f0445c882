"""Whether an item can be read on: what a host with this API says may have any shape, and is kept as it came.

Items of questions were read strictly when they came, so they can be.
"""

from collections.abc import Mapping
from typing import Any, Final

from forehearth.dialects.responses.items import Resource

_CALL: Final = ("name", "arguments")
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "function_call": ("call_id", *_CALL),
    "function_call_output": ("call_id",),
    "mcp_call": ("server_label", *_CALL),
    "mcp_approval_request": ("server_label", *_CALL),
    "mcp_approval_response": ("approval_request_id",),
    "openapi_call": ("call_id", *_CALL),
    "openapi_call_output": ("call_id", "output"),
}
"""By the kind of an item: the members that have to be texts."""
_OF_PART: Final[Mapping[str, tuple[str, ...]]] = {
    "input_text": ("text",),
    "output_text": ("text",),
    "refusal": ("refusal",),
    "input_image": ("image_url", "file_id"),
    "input_file": ("file_data", "file_url", "file_id"),
}
"""By the kind of a part: the members of which one has to be a text."""


def readable(item: Resource) -> bool:
    """Whether it has what its kind is read by."""
    kind = item["type"]
    if not all(isinstance(item.get(name), str) for name in _NEEDED.get(kind, ())):
        return False
    if kind == "message":
        return _is_message(item)
    if kind == "function_call_output":
        return isinstance(item.get("output"), str) or _are_parts(item.get("output"))
    if kind == "mcp_call":
        return isinstance(item.get("output"), str | None) and isinstance(item.get("error"), str | dict | None)
    if kind == "structured_outputs":
        return "output" in item
    return kind != "mcp_approval_response" or isinstance(item.get("approve"), bool)


def _is_message(item: Resource) -> bool:
    role, content = item.get("role"), item.get("content")
    if not isinstance(role, str):
        return False
    return _are_parts(content) or (isinstance(content, str) and role != "assistant")


def _are_parts(content: Any) -> bool:
    return isinstance(content, list) and all(map(_is_part, content))


def _is_part(part: Any) -> bool:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        return False
    names = _OF_PART.get(part["type"])
    return names is None or any(isinstance(part.get(name), str) for name in names)
