"""The schemas of sound and pictures: the forms that are uploaded, and what clients rely on in the answers."""

from collections.abc import Mapping
from typing import Any, Final

from forehearth.core.call import Operation
from forehearth.dialects import audio
from forehearth.wire.media import BODIES

_TEXT: Final = {"type": "string"}
_FILE: Final = {"type": "string", "format": "binary"}
_NUMBER: Final = {"type": "number"}
_USAGE: Final = {"type": "object", "additionalProperties": True}
_HEARD: Final[Mapping[str, Any]] = {
    "file": _FILE,
    "model": _TEXT,
    "prompt": _TEXT,
    "temperature": {"type": "number", "minimum": 0, "maximum": 1},
}

SCHEMAS: Final[Mapping[str, Mapping[str, Any]]] = {
    "NewTranscription": {
        "type": "object",
        "required": ["file"],
        "properties": {
            **_HEARD,
            "language": _TEXT,
            "response_format": {"type": "string", "enum": [*audio.TRANSCRIPTION_FORMATS]},
            "timestamp_granularities[]": {
                "type": "array",
                "items": {"type": "string", "enum": ["word", "segment"]},
            },
            "stream": {"type": "boolean"},
        },
    },
    "NewTranslation": {
        "type": "object",
        "required": ["file"],
        "properties": {**_HEARD, "response_format": {"type": "string", "enum": [*audio.TRANSLATION_FORMATS]}},
    },
    "Transcript": {
        "type": "object",
        "required": ["text"],
        "properties": {
            "text": _TEXT,
            "language": _TEXT,
            "duration": _NUMBER,
            "segments": {"type": "array", "items": _USAGE},
            "usage": _USAGE,
        },
    },
    "NewEdit": {
        "type": "object",
        "required": ["image", "prompt"],
        "properties": {
            "image": _FILE,
            "mask": _FILE,
            "prompt": {"type": "string", "minLength": 1},
            "model": _TEXT,
            "n": {"type": "integer", "minimum": 1, "maximum": 10},
            "size": _TEXT,
            "quality": _TEXT,
            "response_format": {"type": "string", "enum": ["url", "b64_json"]},
            "stream": {"type": "boolean"},
            "partial_images": {"type": "integer", "minimum": 0, "maximum": 3},
        },
    },
    "Pictures": {
        "type": "object",
        "required": ["data"],
        "properties": {
            "created": {"type": "integer"},
            "data": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"b64_json": _TEXT, "url": _TEXT, "revised_prompt": _TEXT},
                },
            },
            "usage": _USAGE,
        },
    },
}
READ: Final[Mapping[str, type]] = {
    "SpeechRequest": BODIES[Operation.SPEECH],
    "PicturesRequest": BODIES[Operation.IMAGES],
    "EditRequest": BODIES[Operation.IMAGE_EDITS],
}
"""By the type that reads them."""
