"""Sound as a file, in the format that a caller asks for."""

import importlib.util
import io
from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np

from forehearth.core.errors import NotSupported


class SoundFormat(msgspec.Struct, frozen=True):
    """A format of sound: what it is called on the wire, and how it is made."""

    media_type: bytes
    encode: Callable[[Any, int], bytes]
    """From 32-bit floats of one channel, and how many of them there are a second."""


def _pcm(sound: Any, _: int) -> bytes:
    numbers: bytes = (np.clip(sound, -1.0, 1.0) * 32_767).astype("<i2").tobytes()
    return numbers


def _written(container: str, coding: str) -> Callable[[Any, int], bytes]:
    def encode(sound: Any, rate: int) -> bytes:
        import soundfile  # noqa: PLC0415 - only a process that speaks pays for it

        file = io.BytesIO()
        soundfile.write(file, sound, rate, format=container, subtype=coding)
        return file.getvalue()

    return encode


def _aac(sound: Any, rate: int) -> bytes:
    import av  # noqa: PLC0415 - the extra `media`: see `sound_format`

    file = io.BytesIO()
    with av.open(file, "w", format="adts") as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.frombuffer(_pcm(sound, rate), "<i2")[None, :], "s16", "mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate, frame_size=1024)
        for each in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(each))
        container.mux(stream.encode(None))
    return file.getvalue()


FORMATS: Final = {
    "mp3": SoundFormat(b"audio/mpeg", _written("MP3", "MPEG_LAYER_III")),
    "opus": SoundFormat(b"audio/opus", _written("OGG", "OPUS")),
    "aac": SoundFormat(b"audio/aac", _aac),
    "flac": SoundFormat(b"audio/flac", _written("FLAC", "PCM_16")),
    "wav": SoundFormat(b"audio/wav", _written("WAV", "PCM_16")),
    "pcm": SoundFormat(b"audio/pcm", _pcm),
}
"""By the names of the service."""


def sound_format(name: str) -> SoundFormat:
    """The one of `FORMATS` that goes by that name. Raises `NotSupported` where what makes it is not installed."""
    if name == "aac" and importlib.util.find_spec("av") is None:
        others = ", ".join(each for each in FORMATS if each != "aac")
        message = f"response_format cannot be 'aac' without the extra `media` on the server: choose one of {others}."
        raise NotSupported(message, param="response_format")
    return FORMATS[name]
