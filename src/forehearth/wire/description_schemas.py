"""The schemas of what the surfaces read and answer, for their OpenAPI documents.

Bodies that a type of ours reads are described by that type. What goes through to a model's host unread, and what is
answered, is described by the members that clients rely on: there may be more.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from forehearth.core.call import Operation
from forehearth.dialects.responses.asked import UNSERVED, Body
from forehearth.wire import media_schemas
from forehearth.wire.body_members import MEMBERS

REFERENCE: Final = "#/components/schemas/{name}"
Schema = Mapping[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_MAYBE_TEXT: Final[Schema] = {"anyOf": [{"type": "string"}, {"type": "null"}]}
_FREE: Final[Schema] = {"type": "object", "additionalProperties": True}
_LABELS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string"}}


def _object(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> dict[str, Any]:
    """An object that has these members, and may have these and others."""
    return {"type": "object", "required": [*required], "properties": {**required, **(optional or {})}}


def _list(item: str) -> dict[str, Any]:
    """A page as OpenAI's APIs have it."""
    return _object(
        {"object": {"type": "string", "const": "list"}, "data": {"type": "array", "items": reference(item)}},
        {"first_id": _MAYBE_TEXT, "last_id": _MAYBE_TEXT, "has_more": {"type": "boolean"}},
    )


def _page(item: str) -> dict[str, Any]:
    """A page as Azure's APIs have it."""
    return _object({"value": {"type": "array", "items": reference(item)}}, {"nextLink": _TEXT})


def reference(name: str) -> dict[str, str]:
    """A schema by its name."""
    return {"$ref": REFERENCE.format(name=name)}


_MESSAGE: Final = _object(
    {"role": _TEXT},
    {
        "content": {"anyOf": [{"type": "string"}, {"type": "array", "items": _FREE}, {"type": "null"}]},
        "name": _TEXT,
        "tool_calls": {"type": "array", "items": _FREE},
        "tool_call_id": _TEXT,
    },
)
_USAGE: Final = _object({"prompt_tokens": _COUNT, "total_tokens": _COUNT}, {"completion_tokens": _COUNT})
_ERROR: Final = _object(
    {"code": _MAYBE_TEXT, "message": _TEXT}, {"param": _MAYBE_TEXT, "type": _MAYBE_TEXT, "innererror": _FREE}
)
_IDENTIFIED: Final = _object({"id": _TEXT, "object": _TEXT})
_DELETED: Final = _object({"id": _TEXT, "object": _TEXT, "deleted": {"type": "boolean"}})
_METADATA: Final = _object({"metadata": {"anyOf": [_LABELS, {"type": "null"}]}})

_WRITTEN: Final[Mapping[str, Schema]] = {
    "AnyObject": _FREE,
    "ChatMessage": _MESSAGE,
    "Usage": _USAGE,
    "ChatCompletion": _object(
        {
            "id": _TEXT,
            "object": _TEXT,
            "created": _COUNT,
            "model": _TEXT,
            "choices": {
                "type": "array",
                "items": _object(
                    {"index": _COUNT, "message": reference("ChatMessage")}, {"finish_reason": _MAYBE_TEXT}
                ),
            },
        },
        {"usage": reference("Usage")},
    ),
    "Completion": _object(
        {
            "id": _TEXT,
            "object": _TEXT,
            "created": _COUNT,
            "model": _TEXT,
            "choices": {
                "type": "array",
                "items": _object({"index": _COUNT, "text": _TEXT}, {"finish_reason": _MAYBE_TEXT}),
            },
        },
        {"usage": reference("Usage")},
    ),
    "EmbeddingList": _object(
        {
            "object": _TEXT,
            "model": _TEXT,
            "data": {
                "type": "array",
                "items": _object(
                    {
                        "object": _TEXT,
                        "index": _COUNT,
                        "embedding": {"anyOf": [{"type": "array", "items": {"type": "number"}}, {"type": "string"}]},
                    }
                ),
            },
            "usage": reference("Usage"),
        },
        {"id": _TEXT},
    ),
    "ModelInfo": _object({"model_name": _TEXT, "model_type": _TEXT, "model_provider_name": _TEXT}),
    "Operations": _object({"object": _TEXT, "operations": {"type": "array", "items": _TEXT}}),
    "Identified": _IDENTIFIED,
    "IdentifiedList": _list("Identified"),
    "Deleted": _DELETED,
    "Metadata": _METADATA,
    "Response": _object(
        {
            "id": _TEXT,
            "object": _TEXT,
            "created_at": {"type": "number"},
            "status": _TEXT,
            "model": _TEXT,
            "output": {"type": "array", "items": _FREE},
        },
        {"previous_response_id": _MAYBE_TEXT, "metadata": _FREE},
    ),
    "TokenCount": _object({"object": _TEXT, "input_tokens": _COUNT}),
    "NewConversation": {
        "type": "object",
        "properties": {
            "metadata": {"anyOf": [_LABELS, {"type": "null"}]},
            "items": {"anyOf": [{"type": "array", "maxItems": 20, "items": _FREE}, {"type": "null"}]},
        },
    },
    "NewItems": _object({"items": {"type": "array", "minItems": 1, "maxItems": 20, "items": _FREE}}),
    "Item": _object({"type": _TEXT}),
    "ItemList": _list("Item"),
    "Conversation": _object({"id": _TEXT, "object": _TEXT, "created_at": _COUNT, "metadata": _FREE}),
    "File": _object(
        {"id": _TEXT, "object": _TEXT, "bytes": _COUNT, "created_at": _COUNT, "filename": _TEXT, "purpose": _TEXT},
        {"status": _TEXT, "expires_at": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
    ),
    "FileList": _list("File"),
    "NewFile": _object({"file": {"type": "string", "format": "binary"}, "purpose": _TEXT}),
    "Named": _object({"name": _TEXT}),
    "NamedPage": _page("Named"),
    "Agent": _object({"id": _TEXT, "object": _TEXT, "name": _TEXT, "versions": _FREE}),
    "AgentList": _list("Agent"),
    "AgentVersion": _object({"id": _TEXT, "object": _TEXT, "name": _TEXT, "version": _TEXT, "definition": _FREE}),
    "AgentVersionList": _list("AgentVersion"),
    "NewAgent": _object({"name": _TEXT, "definition": _FREE}, {"description": _TEXT, "metadata": _LABELS}),
    "NewAgentVersion": _object({"definition": _FREE}, {"description": _TEXT, "metadata": _LABELS}),
    "AssetVersion": _object({"name": _TEXT, "version": _TEXT, "type": _TEXT}),
    "AssetVersionPage": _page("AssetVersion"),
    "AssetPatch": _object({"type": _TEXT}, {"description": _TEXT, "tags": _LABELS}),
    "OpenAIError": _object({"error": _ERROR}),
    "FoundryError": _object({"code": _TEXT, "message": _TEXT, "error": _ERROR}, {"status": _COUNT}),
    "ProjectError": _object({"error": _object({"code": _MAYBE_TEXT, "message": _TEXT})}),
}
_READ: Final[Mapping[str, type]] = {
    "ChatRequest": MEMBERS[Operation.CHAT],
    "CompletionRequest": MEMBERS[Operation.COMPLETIONS],
    "EmbeddingRequest": MEMBERS[Operation.EMBEDDINGS],
    "ResponseRequest": Body,
    **media_schemas.READ,
}
"""By the type that reads them."""
_THROUGH: Final[Mapping[str, Schema]] = {
    "messages": {"type": "array", "minItems": 1, "items": reference("ChatMessage")},
    "stop": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
    "tools": {"type": "array", "items": _FREE},
    "tool_choice": {"anyOf": [{"type": "string"}, _FREE]},
    "response_format": _FREE,
}
"""Members of a chat that the model's host reads."""


def schemas() -> dict[str, Schema]:
    """Every schema by its name."""
    read, components = msgspec.json.schema_components(list(_READ.values()), ref_template=REFERENCE)
    names = {each["$ref"].rpartition("/")[2]: name for each, name in zip(read, _READ, strict=True)}
    names |= {name: f"{name.strip('_')}Member" for name in components if name not in names}
    found = {names[name]: _renamed(schema, names) for name, schema in components.items()}
    for name in _READ:
        found[name].pop("description", None)
    _open(found["ChatRequest"], _THROUGH)
    properties = found["ResponseRequest"]["properties"]
    for name in UNSERVED:
        properties.pop(name, None)
    return {**_WRITTEN, **media_schemas.SCHEMAS, **found}


def _open(schema: dict[str, Any], through: Mapping[str, Schema]) -> None:
    schema["properties"] = {**schema["properties"], **through}


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The same with its references by our names, and in a form that every tool reads."""
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: _renamed(each, names) for key, each in value.items()}
    if "$ref" in value:
        found["$ref"] = REFERENCE.format(name=names[value["$ref"].rpartition("/")[2]])
    if isinstance(value.get("title"), str):
        del found["title"]  # the name of a type of ours
    if value.get("type") == "array":
        found.setdefault("items", {})  # generators do not take it for granted
    return found
