"""What requests to OpenAI-shaped hosts have in common: paths of operations, and the model's name in the body."""

import msgspec

from forehearth.core.call import Call, Operation
from forehearth.core.exchange import Header
from forehearth.dialects import json_members

JSON_HEADERS: tuple[Header, ...] = ((b"content-type", b"application/json"),)

OPERATION_PATHS = {
    Operation.CHAT: "/chat/completions",
    Operation.COMPLETIONS: "/completions",
    Operation.EMBEDDINGS: "/embeddings",
    Operation.TRANSCRIPTIONS: "/audio/transcriptions",
    Operation.TRANSLATIONS: "/audio/translations",
    Operation.SPEECH: "/audio/speech",
    Operation.IMAGES: "/images/generations",
    Operation.IMAGE_EDITS: "/images/edits",
}


RESPONSES_PATH = "/responses"


def asked_in_responses(call: Call, model: str) -> bytes | None:
    """The call's body of the Responses API with `model` as its model; None where it has none."""
    if call.responses is None:
        return None
    return json_members.put(call.responses, {"model": msgspec.json.encode(model)})


def named(call: Call, model: str) -> bytes:
    """The call's body with `model` as its model, every other byte as it came; the very body when it says so already.

    A form has none: see `providers.media`.
    """
    if call.model_in_body == model or call.form is not None:
        return call.body
    value = msgspec.json.encode(model)
    if call.has_model_member:
        return json_members.replace(call.body, "model", value)
    return json_members.insert_first(call.body, "model", value)
