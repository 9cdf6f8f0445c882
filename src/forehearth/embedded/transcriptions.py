"""Answers a request for a transcript: decodes the recording apart from here, then has it told by the one model."""

import functools
import threading
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec

from forehearth.core.errors import InvalidField
from forehearth.core.exchange import Reply
from forehearth.dialects.audio import LARGEST_FILE
from forehearth.embedded.catalogue import ModelSource
from forehearth.embedded.form import Form
from forehearth.embedded.loading import State
from forehearth.embedded.members import Members
from forehearth.embedded.transcripts import FORMS, Transcript
from forehearth.embedded.turns import Turns

MOST_WAITING: Final = 8
"""Calls in line: each has its recording in memory."""
NUMBERS: Final = frozenset({"temperature"})

_ENGLISH: Final = frozenset({"en", "english"})
_KNOWN: Final = frozenset(
    {
        "chunking_strategy",
        "file",
        "include",
        "known_speaker_names",
        "known_speaker_references",
        "language",
        "model",
        "prompt",
        "response_format",
        "stream",
        "temperature",
        "timestamp_granularities",
    }
)
_OTHER_MODELS: Final = ("include", "known_speaker_names", "known_speaker_references")


class Engine(Protocol):
    """A loaded model: `transcription_engine.WhisperEngine` or one like it."""

    def transcribe(self, sound: bytes, prompt: str, temperature: float, stop: threading.Event) -> Transcript:
        """What is said in the sound, 16 bits a sample. Raises `Stopped` once told to."""
        ...


Load = Callable[[ModelSource], Engine]
"""Loads a model. Raises `ModelUnusable`."""
Decode = Callable[[bytes], Awaitable[bytes]]
"""Makes sound of a file: `audio.decoded` or one like it."""


class TranscriptionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a model that hears."""

    file: bytes
    form: str = "json"
    prompt: str = ""
    temperature: float = 0.0


def read_transcription(form: Form) -> TranscriptionRequest:
    """The request's form, read. Raises our errors, each naming the field."""
    fields = form.fields
    fields.refuse_unknown(_KNOWN)
    if not form.file:
        message = "Missing required parameter: file." if form.file is None else "The audio file is empty."
        raise InvalidField(message, param="file")
    if len(form.file) > LARGEST_FILE:
        message = f"Maximum content size limit ({LARGEST_FILE}) exceeded ({len(form.file)} bytes read)."
        raise InvalidField(message, param="file")
    _refuse_what_it_cannot(fields)
    return TranscriptionRequest(
        file=form.file,
        form=fields.text("response_format") or "json",
        prompt=fields.text("prompt") or "",
        temperature=fields.number("temperature", 0.0, 1.0) or 0.0,
    )


def _refuse_what_it_cannot(fields: Members) -> None:
    language, wanted = fields.text("language"), fields.text("response_format")
    if language and language.lower() not in _ENGLISH:
        raise fields.unsupported("language", "can only be 'en': this model hears nothing but English")
    if wanted == "diarized_json":
        raise fields.unsupported("response_format", "cannot be 'diarized_json': this model cannot tell speakers apart")
    fields.choice("response_format", tuple(FORMS))
    for name in _OTHER_MODELS:
        if fields.get(name):
            raise fields.unsupported(name, "is nothing that this model can do: leave it out")
    granularities = fields.items("timestamp_granularities") or []
    if granularities and wanted != "verbose_json":
        raise fields.wrong("timestamp_granularities", "needs response_format 'verbose_json'")
    if any(each != "segment" for each in granularities):
        reason = "can only be 'segment': this server does not tell when each word was said"
        raise fields.unsupported("timestamp_granularities", reason)


class TranscriptionModel:
    """One model of the host that hears: fetched and loaded when it is first asked, one recording at a time."""

    def __init__(self, name: str, source: ModelSource, most_waiting: int, load: Load, decode: Decode) -> None:
        self.name = name
        self.source = source
        self._turns = Turns(
            functools.partial(load, source), min(most_waiting, MOST_WAITING), name="hearing", fetch=source.fetch
        )
        self.slots = self._turns.slots
        self._decode = decode

    @property
    def state(self) -> State:
        """Whether it is in memory."""
        return self._turns.state

    async def ready(self) -> Engine:
        """The loaded engine. Raises what `Turns.ready` does."""
        return await self._turns.ready()

    async def answer(self, request: TranscriptionRequest) -> Reply:
        """The reply to `request`. Raises our errors. A call that is cancelled stops within a part of a second."""
        async with self._turns.turn() as turn:
            sound = await self._decode(request.file)
            transcript = await turn.run(functools.partial(_transcribe, request, sound))
        return FORMS[request.form](transcript)

    async def close(self) -> None:
        """Stop what runs, free the model."""
        await self._turns.close()


def _transcribe(request: TranscriptionRequest, sound: bytes, engine: Engine, stop: threading.Event) -> Transcript:
    if not sound:
        raise InvalidField("Audio file is too short: there is no sound in it.", param="file")
    return engine.transcribe(sound, request.prompt, request.temperature, stop)
