"""Files of sound by the real decoder, a process of its own: what it reads, what it refuses, and what cannot harm it.

The files are made by libsndfile and by ffmpeg; both were written by others than the resampling and the WebM reader.
"""

import asyncio
import contextlib
import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from forehearth.core.errors import InvalidField, NotSupported, Overloaded
from forehearth.embedded import audio, audio_decoder
from tests.unit.embedded.fake_engine import until

SECONDS = 3
HERTZ = 440.0


def tone(rate: int) -> np.ndarray:
    return (np.sin(2 * np.pi * HERTZ * np.arange(SECONDS * rate) / rate) * 0.5).astype(np.float32)


def by_libsndfile(container: str, coding: str, rate: int = 44_100, channels: int = 1) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.stack([tone(rate)] * channels, axis=1), rate, format=container, subtype=coding)
    return file.getvalue()


def by_ffmpeg(container: str, coding: str, rate: int) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(coding, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(rate)[None, :], "flt", "mono")
        frame.sample_rate = rate
        size = stream.codec_context.frame_size or 1024
        change = av.AudioResampler(format=stream.format.name, layout="mono", rate=rate, frame_size=size)
        for each in [*change.resample(frame), *change.resample(None)]:
            out.mux(stream.encode(each))
        out.mux(stream.encode(None))
    return file.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "wav": lambda: by_libsndfile("WAV", "PCM_16"),
    "wav of two channels": lambda: by_libsndfile("WAV", "PCM_24", 48_000, 2),
    "wav of floats": lambda: by_libsndfile("WAV", "FLOAT", 96_000),
    "wav as telephones have it": lambda: by_libsndfile("WAV", "ULAW", 8_000),
    "flac": lambda: by_libsndfile("FLAC", "PCM_16"),
    "mp3": lambda: by_libsndfile("MP3", "MPEG_LAYER_III"),
    "mp3 of another maker": lambda: by_ffmpeg("mp3", "libmp3lame", 22_050),
    "ogg vorbis": lambda: by_libsndfile("OGG", "VORBIS"),
    "ogg opus": lambda: by_libsndfile("OGG", "OPUS", 48_000),
    "webm": lambda: by_ffmpeg("webm", "libopus", 48_000),
    "m4a": lambda: by_ffmpeg("ipod", "aac", 44_100),
    "aac": lambda: by_ffmpeg("adts", "aac", 44_100),
}


@pytest.mark.parametrize("make", FILES.values(), ids=FILES.keys())
async def test_a_file_is_heard(make: Callable[[], bytes]) -> None:
    sound = np.frombuffer(await audio.decoded(make()), "<i2") / 32_768
    assert abs(len(sound) / audio.RATE - SECONDS) < 0.15
    spectrum = np.abs(np.fft.rfft(sound))
    assert abs(spectrum.argmax() * audio.RATE / len(sound) - HERTZ) < 1
    assert 0.25 < np.sqrt((sound**2).mean()) < 0.45


def hostile() -> dict[str, bytes]:
    wav = by_libsndfile("WAV", "PCM_16")
    return {
        "no sound": b"hello, this is a text" * 100,
        "zeros": bytes(100_000),
        "noise": np.random.default_rng(0).bytes(100_000),
        "the beginning of an mp3, and noise": by_libsndfile("MP3", "MPEG_LAYER_III")[:20] + os.urandom(1_000),
        "webm without anything": b"\x1a\x45\xdf\xa3" + b"\xff" * 10_000,
        "a rate that is none": wav[:24] + struct.pack("<I", 1) + wav[28:],
        "an m4a of nothing": b"\0\0\0\x18ftypM4A " + bytes(1_000),
    }


@pytest.mark.parametrize("name", hostile())
async def test_what_is_no_sound_is_the_callers_fault(name: str) -> None:
    with pytest.raises((InvalidField, NotSupported)) as caught:
        await audio.decoded(hostile()[name])
    assert caught.value.param == "file"


async def test_damage_ends_no_more_than_the_call() -> None:
    draw = np.random.default_rng(1)
    for make in ("mp3", "flac", "ogg vorbis", "webm"):
        content = bytearray(FILES[make]())
        for at in draw.integers(0, len(content), 40):
            content[at] = draw.integers(256)
        with contextlib.suppress(InvalidField, NotSupported):
            assert len(await audio.decoded(bytes(content))) <= audio.LONGEST_SECONDS * audio.RATE * 2


async def test_a_recording_may_not_be_too_long() -> None:
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(8_000 * (audio.LONGEST_SECONDS + 1), np.int16), 8_000, format="FLAC")
    assert len(silence.getvalue()) < 200_000
    with pytest.raises(InvalidField, match="at most 30 minutes"):
        await audio.decoded(silence.getvalue())


async def test_a_decoder_that_takes_too_long_is_ended() -> None:
    with pytest.raises(InvalidField, match="not be decoded in time"):
        await audio.decoded(FILES["wav"](), seconds=0.01)
    assert decoders() == []


async def test_who_leaves_ends_the_decoder() -> None:
    call = asyncio.create_task(audio.decoded(FILES["wav"]()))
    await until(lambda: len(decoders()) == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert decoders() == []


def decoders() -> list[int]:
    """The decoders that this process has running."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent, command = status.read_text().rpartition(")")[2].split()[1], status.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == os.getpid() and b"audio_decoder" in command:
            found.append(int(status.parent.name))
    return found


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (audio.UNSUPPORTED, NotSupported, "with the extra `media` installed, m4a and mp4 as well"),
        (-9, InvalidField, "could not be decoded"),
        (-25, InvalidField, "could not be decoded"),
        (1, Overloaded, "could not be started"),
    ],
)
def test_how_it_ended_is_said(status: int, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        audio.checked(status, b"")


def test_both_sides_mean_the_same() -> None:
    assert audio.RATE == audio_decoder.RATE
    assert (audio.UNREADABLE, audio.UNSUPPORTED, audio.TOO_LONG) == (
        audio_decoder.UNREADABLE,
        audio_decoder.UNSUPPORTED,
        audio_decoder.TOO_LONG,
    )
