"""Sound that callers send, made readable: decoded by a process that may fail, hang or be ended without harm."""

import asyncio
import contextlib
import os
import sys
from typing import Final

from forehearth.core.errors import InvalidField, NotSupported, Overloaded

RATE: Final = 16_000
LONGEST_SECONDS: Final = 30 * 60
"""Of one file: as much as is told within the time that a backend may take to answer."""
DECODING_SECONDS: Final = 120.0

_COMMAND: Final = (sys.executable, "-P", "-m", "forehearth.embedded.audio_decoder")
UNREADABLE, UNSUPPORTED, TOO_LONG = 10, 11, 12
"""How the decoder ends where the file is at fault; a test holds both sides to the same."""
_NOT_STARTED: Final = 1
"""How Python ends by itself."""
_CHUNK: Final = 1 << 20
_MOST: Final = LONGEST_SECONDS * RATE * 2

FORMATS: Final = "wav, mp3, flac, ogg (Vorbis or Opus) and webm (Opus)"


async def decoded(content: bytes, *, seconds: float = DECODING_SECONDS) -> bytes:
    """One channel of 16 bits, `RATE` times a second. Raises our errors; cancelling it ends the decoder."""
    environment = {"OPENBLAS_NUM_THREADS": "1", "PATH": os.defpath}
    process = await asyncio.create_subprocess_exec(
        *_COMMAND, str(LONGEST_SECONDS),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env=environment,
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            sound, _ = await asyncio.gather(_read(process), _feed(process, content))
            status = await process.wait()
    except TimeoutError as error:
        raise InvalidField("The audio file could not be decoded in time.", param="file") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return checked(status, sound)


def checked(status: int, sound: bytes) -> bytes:
    """`sound`, where the decoder ended well by `status`. Raises our errors."""
    if status == TOO_LONG:
        message = f"Audio file might be too long: this model hears at most {LONGEST_SECONDS // 60} minutes at once."
        raise InvalidField(message, param="file")
    if status == UNSUPPORTED:
        message = f"Invalid file format: what this server decodes is {FORMATS}"
        raise NotSupported(f"{message}; with the extra `media` installed, m4a and mp4 as well.", param="file")
    if status == _NOT_STARTED:
        raise Overloaded("The audio decoder could not be started.", retry_after=5.0)
    if status != 0:
        message = f"Audio file might be corrupted or unsupported: it could not be decoded. Send {FORMATS}."
        raise InvalidField(message, param="file")
    return sound


async def _feed(process: asyncio.subprocess.Process, content: bytes) -> None:
    if process.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(content)
        await process.stdin.drain()
    process.stdin.close()


async def _read(process: asyncio.subprocess.Process) -> bytes:
    """What it says, up to what it may; one that says more is not listened to any further."""
    sound = bytearray()
    while process.stdout is not None and (chunk := await process.stdout.read(_CHUNK)):
        sound += chunk
        if len(sound) > _MOST:
            process.kill()
            break
    return bytes(sound)
