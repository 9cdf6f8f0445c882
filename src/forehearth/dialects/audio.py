"""What is asked of speech models: a text for a recording, or a recording for a text.

Source: OpenAI's specification of `/audio`. Only what every host reads alike is looked at.
"""

from typing import Annotated, Any, Final, Literal, cast

import msgspec

from forehearth.dialects import form_values
from forehearth.dialects.form_fields import FileField, FormFields, FormRules
from forehearth.dialects.wrong_members import wrong_value

LARGEST_FILE: Final = 25 * 1024 * 1024
"""Bytes of a recording. Source: the service's documentation."""
Granularity = Literal["word", "segment"]
TranscriptFormat = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
SoundFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
TRANSLATION_FORMATS: Final = ("json", "text", "srt", "verbose_json", "vtt")
TRANSCRIPTION_FORMATS: Final = (*TRANSLATION_FORMATS, "diarized_json")
_GRANULARITIES: Final = ("word", "segment")
_COLDEST, _WARMEST = 0.0, 1.0


class Transcription(msgspec.Struct, frozen=True, kw_only=True):
    """A recording of which the text is wanted, in its own language or in English."""

    model: str
    """Empty where the form names none."""
    filename: str
    """As the client calls it: text, and never a path. Some hosts tell a recording's format by its ending."""
    start: int
    """Where in the form the recording begins, and ends."""
    end: int
    language: str | None = None
    """ISO 639-1, such as `en`; None where it has to be found out."""
    prompt: str | None = None
    response_format: TranscriptFormat = "json"
    temperature: float | None = None
    timestamp_granularities: tuple[Granularity, ...] = ()
    stream: bool = False


class Speech(msgspec.Struct, kw_only=True):
    """A text that is to be spoken."""

    input: Annotated[str, msgspec.Meta(min_length=1)]
    voice: str | dict[str, Any]
    """The name of a voice, or an object with the `id` of a caller's own."""
    model: str | msgspec.UnsetType | None = msgspec.UNSET
    response_format: SoundFormat | None = None
    """`mp3` where it is not given."""
    speed: Annotated[float, msgspec.Meta(ge=0.25, le=4.0)] | None = None
    """1.0 where it is not given."""
    instructions: str | None = None
    """How it is to be spoken."""
    stream_format: Literal["sse", "audio"] | None = None
    """`sse`: in events; else the sound itself."""


def transcription_rules(most_bytes: int = LARGEST_FILE) -> FormRules:
    """The fields of `/audio/transcriptions` and `/audio/translations`, for files of up to so many bytes."""
    single = ("model", "language", "prompt", "response_format", "temperature", "stream")
    return FormRules(
        files={"file": FileField(most_bytes=most_bytes, needed=True)},
        texts={**dict.fromkeys(single, False), "timestamp_granularities": True},
        read=frozenset({"prompt"}),
    )


def read_transcription(fields: FormFields, *, translates: bool = False) -> Transcription:
    """What a form asks for that was read to its end. Raises `InvalidField`."""
    file = fields.files[0]
    formats = TRANSLATION_FORMATS if translates else TRANSCRIPTION_FORMATS
    granularities = fields.texts("timestamp_granularities")
    for each in granularities:
        if each not in _GRANULARITIES:
            raise wrong_value("timestamp_granularities", each, _GRANULARITIES)
    return Transcription(
        model=fields.text("model") or "",
        filename=file.name,
        start=file.start,
        end=file.end,
        language=fields.text("language") or None,
        prompt=fields.text("prompt") or None,
        response_format=cast("TranscriptFormat", form_values.choice(fields, "response_format", formats) or "json"),
        temperature=form_values.number(fields, "temperature", _COLDEST, _WARMEST),
        timestamp_granularities=cast("tuple[Granularity, ...]", granularities),
        stream=form_values.truth(fields, "stream"),
    )
