"""Decodes one file of sound, as a process of its own: `python -m forehearth.embedded.audio_decoder SECONDS`.

The file comes on standard input; what goes to standard output is one channel of 16 bits, 16,000 times a second. A
stranger's file may drive a decoder into a fault, a loop or all memory: here that ends one call and nothing else.
"""

import importlib.util
import io
import os
import resource
import sys
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import soundfile

from forehearth.embedded import webm
from forehearth.embedded.resampling import Array, resampled

RATE: Final = 16_000

UNREADABLE: Final = 10
UNSUPPORTED: Final = 11
TOO_LONG: Final = 12
"""How the process ends where the file is at fault."""

MEMORY: Final = 1024 * 1024 * 1024
CPU_SECONDS: Final = 60
"""What it may take before the kernel ends it."""

_SYNCS: Final = frozenset({0xFFF, 0xFFE})
_MARKS: Final = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS", b"ID3")
"""How files begin that are given to libsndfile, besides those of MP3. It reads many more formats, seldom used and
seldom looked at."""
_BLOCK: Final = 1 << 18
_RATES: Final = range(4_000, 400_001)


class Refused(Exception):
    """The file is at fault; `status` says how."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def main() -> int:
    """Decode standard input to standard output; return the exit status."""
    seconds = int(sys.argv[1])
    content = sys.stdin.buffer.read()
    _bound()
    left = seconds * RATE
    try:
        for block in _heard(content):
            left -= len(block)
            if left < 0:
                return TOO_LONG
            sys.stdout.buffer.write((np.clip(block, -1.0, 1.0) * 32_767).astype("<i2").tobytes())
        sys.stdout.buffer.flush()
    except Refused as error:
        return error.status
    except MemoryError:
        return UNREADABLE
    return 0


def _bound() -> None:
    """Take from this process what no decoder needs."""
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))


def _heard(content: bytes) -> Iterator[Array]:
    """The sound in blocks of 32-bit floats, one channel, at `RATE`. Raises `Refused`."""
    if content.startswith(webm.MARK):
        try:
            content = webm.opus_of(content)
        except webm.NotWebm:
            return _by_ffmpeg(content)
    elif content[4:8] == b"ftyp" or _layer(content) == 0:
        return _by_ffmpeg(content)
    elif not content.startswith(_MARKS) and not _layer(content):
        raise Refused(UNREADABLE)
    return _by_libsndfile(content)


def _layer(content: bytes) -> int | None:
    """The layer of the MPEG frames that `content` begins with: 1 is MP3, 0 is AAC; None where it has none."""
    sync = int.from_bytes(content[:2], "big")
    return (sync >> 1) & 3 if sync >> 4 in _SYNCS else None


def _by_libsndfile(content: bytes) -> Iterator[Array]:
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            if file.samplerate not in _RATES:
                raise Refused(UNSUPPORTED)
            yield from resampled(_blocks(file), file.samplerate, RATE)
    except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError) as error:
        raise Refused(UNREADABLE) from error


def _blocks(file: Any) -> Iterator[Array]:
    while len(block := file.read(max(1, _BLOCK // file.channels), dtype="float32", always_2d=True)):
        yield np.nan_to_num(block.mean(axis=1), posinf=0.0, neginf=0.0)


def _by_ffmpeg(content: bytes) -> Iterator[Array]:
    """By PyAV, where it is installed: the extra `media`."""
    if importlib.util.find_spec("av") is None:
        raise Refused(UNSUPPORTED)
    import av  # noqa: PLC0415 - it may not be there

    try:
        with av.open(io.BytesIO(content), mode="r") as container:
            change = av.AudioResampler(format="flt", layout="mono", rate=RATE)
            for frame in container.decode(audio=0):
                for changed in change.resample(frame):
                    yield np.nan_to_num(changed.to_ndarray()[0])
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise Refused(UNREADABLE) from error


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)
