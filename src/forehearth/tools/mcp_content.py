"""From what an MCP tool returns to text for a model."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from forehearth.tools.text import cut


def as_text(result: Mapping[str, Any]) -> str:
    """The texts of a result, one below the other; of what is no text, only that it was there."""
    content = result.get("content")
    blocks = content if isinstance(content, list) else []
    texts = [text for block in blocks if isinstance(block, dict) and (text := _text(block))]
    if not texts and isinstance(result.get("structuredContent"), dict):
        texts = [msgspec.json.encode(result["structuredContent"]).decode()]
    return cut("\n".join(texts))


_LEFT_OUT: Final = frozenset({"image", "audio"})


def _text(block: Mapping[str, Any]) -> str:
    kind = block.get("type")
    if kind == "text" and isinstance(block.get("text"), str):
        return str(block["text"])
    if kind in _LEFT_OUT:
        return f"[{kind} of the type {block.get('mimeType', 'unknown')}: left out]"
    if kind == "resource_link":
        return f"[{block.get('name', 'resource')}: {block.get('uri', '')}]"
    resource = block.get("resource")
    if kind == "resource" and isinstance(resource, dict):
        text = resource.get("text")
        return text if isinstance(text, str) else f"[{resource.get('uri', 'resource')}: left out, as it is no text]"
    return ""
