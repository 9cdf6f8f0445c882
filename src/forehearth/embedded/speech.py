"""Answers a request to speak: a text in, a file of sound out."""

import functools
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec

from forehearth.core.errors import InvalidField
from forehearth.core.exchange import Reply
from forehearth.embedded.catalogue import ModelSource
from forehearth.embedded.loading import State
from forehearth.embedded.members import Members
from forehearth.embedded.sound_files import FORMATS, SoundFormat, sound_format
from forehearth.embedded.turns import Turns

LONGEST_INPUT: Final = 4_096
"""Characters, as on the service."""
MOST_WAITING: Final = 16
SLOWEST, FASTEST = 0.25, 4.0

RATE: Final = 24_000
VOICE: Final = "heart"
VOICES: Final = (
    VOICE,
    *("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse"),
)
"""The one that there is, and the service's, which all sound like it here, so that clients need not be changed."""

_KNOWN: Final = frozenset({"input", "instructions", "model", "response_format", "speed", "stream_format", "voice"})


class Engine(Protocol):
    """A loaded voice: `speech_engine.HibariEngine` or one like it."""

    def speak(self, text: str, speed: float, stop: threading.Event) -> Any:
        """The text as 32-bit floats at `RATE`. Raises our errors, and `Stopped` once told to."""
        ...


Load = Callable[[ModelSource, int], Engine]
"""Loads a voice to run on so many threads. Raises `ModelUnusable`."""


class SpeechRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a model that speaks."""

    text: str
    format: SoundFormat
    speed: float = 1.0


def read_speech(members: Members) -> SpeechRequest:
    """The request's body, read. Raises our errors, each naming the member."""
    members.refuse_unknown(_KNOWN)
    text: str = members.required("input", members.text("input"))
    if not text.strip():
        raise InvalidField("Invalid value for input: it must not be empty.", param="input")
    if len(text) > LONGEST_INPUT:
        raise members.wrong("input", f"must have at most {LONGEST_INPUT} characters, and has {len(text)}")
    if isinstance(members.get("voice"), dict):
        raise members.unsupported("voice", f"cannot be a voice of one's own: there is {VOICE!r}")
    members.required("voice", members.choice("voice", VOICES))
    if members.text("instructions"):
        raise members.unsupported("instructions", "cannot be followed: this voice speaks in one manner. Leave it out")
    if members.choice("stream_format", ("audio", "sse")) == "sse":
        raise members.unsupported("stream_format", "can only be 'audio' for this model")
    return SpeechRequest(
        text=text,
        format=sound_format(members.choice("response_format", tuple(FORMATS)) or "mp3"),
        speed=members.number("speed", SLOWEST, FASTEST) or 1.0,
    )


class SpeechModel:
    """One voice of the host: fetched and loaded when it is first asked, one text at a time."""

    def __init__(self, name: str, source: ModelSource, threads: int, most_waiting: int, load: Load) -> None:
        self.name = name
        self.source = source
        self._turns = Turns(
            functools.partial(load, source, threads),
            min(most_waiting, MOST_WAITING),
            name="speaking",
            fetch=source.fetch,
        )
        self.slots = self._turns.slots

    @property
    def state(self) -> State:
        """Whether it is in memory."""
        return self._turns.state

    async def ready(self) -> Engine:
        """The loaded engine. Raises what `Turns.ready` does."""
        return await self._turns.ready()

    async def answer(self, request: SpeechRequest) -> Reply:
        """The reply to `request`. Raises our errors. A call that is cancelled stops after the sentence at hand."""
        async with self._turns.turn() as turn:
            file = await turn.run(functools.partial(_speak, request))
        return Reply(status=200, headers=((b"content-type", request.format.media_type),), body=file)

    async def close(self) -> None:
        """Stop what runs, free the model."""
        await self._turns.close()


def _speak(request: SpeechRequest, engine: Engine, stop: threading.Event) -> bytes:
    sound = engine.speak(request.text, request.speed, stop)
    return request.format.encode(sound, RATE)
