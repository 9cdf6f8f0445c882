"""A transcript in the forms that callers ask for: objects, plain text, subtitles."""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from forehearth.core.exchange import Header, Reply
from forehearth.embedded.replies import whole

TEXT: Final[Header] = (b"content-type", b"text/plain; charset=utf-8")
"""Of subtitles, too. Source: `Transcriptions_Create` of Azure's specification."""

LANGUAGE: Final = "english"
_ARROW: Final = re.compile("-+->")


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """Some words, from when to when they were said, in seconds; and how good a telling its window seems."""

    start: float
    end: float
    text: str
    tokens: tuple[int, ...]
    seek: int
    """Where the window begins, in hundredths of a second."""
    temperature: float
    """How freely its words were drawn."""
    sure: float
    """The mean logarithm of the words' likelihood."""
    repeats: float
    """How well its window's text can be compressed."""
    silence: float
    """How likely it is that nobody spoke."""


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """What was said."""

    segments: tuple[Segment, ...]
    duration: float
    """Seconds of the recording."""

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(segment.text for segment in self.segments).strip()


def as_json(transcript: Transcript) -> Reply:
    """The text alone, and what it cost."""
    return whole({"text": transcript.text, "usage": _usage(transcript)})


def as_verbose_json(transcript: Transcript) -> Reply:
    """The text with its segments, and how sure the model is of each."""
    return whole(
        {
            "task": "transcribe",
            "language": LANGUAGE,
            "duration": round(transcript.duration, 2),
            "text": transcript.text,
            "segments": [_segment(at, segment) for at, segment in enumerate(transcript.segments)],
            "usage": _usage(transcript),
        }
    )


def as_text(transcript: Transcript) -> Reply:
    """Nothing but the text, and the end of its line."""
    return _plain(transcript.text + "\n")


def as_srt(transcript: Transcript) -> Reply:
    """Subtitles as SubRip has them."""
    cues = (
        f"{number}\n{_clock(segment.start, ',')} --> {_clock(segment.end, ',')}\n{_cue(segment)}\n\n"
        for number, segment in enumerate(transcript.segments, 1)
    )
    return _plain("".join(cues))


def as_vtt(transcript: Transcript) -> Reply:
    """Subtitles as the web has them (WebVTT)."""
    cues = (
        f"{_clock(segment.start, '.')} --> {_clock(segment.end, '.')}\n{_cue(segment)}\n\n"
        for segment in transcript.segments
    )
    return _plain("WEBVTT\n\n" + "".join(cues))


FORMS: Final[dict[str, Callable[[Transcript], Reply]]] = {
    "json": as_json,
    "text": as_text,
    "srt": as_srt,
    "verbose_json": as_verbose_json,
    "vtt": as_vtt,
}


def _plain(text: str) -> Reply:
    return Reply(status=200, headers=(TEXT,), body=text.encode())


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": max(1, round(transcript.duration))}


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    return {
        "id": number,
        "seek": segment.seek,
        "start": round(segment.start, 2),
        "end": round(segment.end, 2),
        "text": segment.text,
        "tokens": segment.tokens,
        "temperature": segment.temperature,
        "avg_logprob": segment.sure,
        "compression_ratio": segment.repeats,
        "no_speech_prob": segment.silence,
    }


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000:02d}{point}{milliseconds % 1000:03d}"


def _cue(segment: Segment) -> str:
    """One line that no player takes for the next cue's time."""
    return _ARROW.sub("->", " ".join(segment.text.split()))
