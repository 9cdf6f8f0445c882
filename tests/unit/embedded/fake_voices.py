"""Models that hear and speak as a test tells them to, a host around them, and forms as clients send them."""

import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from forehearth.core.exchange import Head, Reply
from forehearth.embedded.catalogue import ModelSource
from forehearth.embedded.host import Asked, EmbeddedHost, HostLimits, Loaders, open_host
from forehearth.embedded.transcripts import Segment, Transcript
from forehearth.embedded.turns import check

HEARS, SPEAKS = "tiny-ears", "tiny-voice"


def segment(start: float, end: float, text: str) -> Segment:
    return Segment(
        start=start, end=end, text=text, tokens=(1, 2), seek=0, temperature=0.0, sure=-0.25, repeats=0.9, silence=0.01
    )


TRANSCRIPT = Transcript(
    segments=(segment(0.0, 1.5, " Hello ---> there."), segment(1.5, 3_723.004, " Good\nbye.")), duration=2.4
)


class FakeEars:
    """Tells the same of every recording, or waits until it is told to stop."""

    def __init__(self, *, waits: bool = False) -> None:
        self.waits = waits
        self.heard: list[tuple[bytes, str, float]] = []
        self.stopped = 0

    def transcribe(self, sound: bytes, prompt: str, temperature: float, stop: threading.Event) -> Transcript:
        self.heard.append((sound, prompt, temperature))
        if self.waits:
            stop.wait(20)
            self.stopped += 1
        check(stop)
        return TRANSCRIPT


class FakeVoice:
    """Makes a silence as long as the text, in the one format that needs no library."""

    def __init__(self) -> None:
        self.spoken: list[tuple[str, float]] = []

    def speak(self, text: str, speed: float, stop: threading.Event) -> Any:
        import numpy as np  # noqa: PLC0415 - what a voice makes is an array

        self.spoken.append((text, speed))
        return np.full(len(text), 2.0, np.float32)


async def as_it_is(content: bytes) -> bytes:
    return content


@asynccontextmanager
async def host_of(
    ears: FakeEars | None = None,
    voice: FakeVoice | None = None,
    *,
    fetch: Callable[[], Awaitable[object]] | None = None,
    limits: HostLimits | None = None,
) -> AsyncGenerator[EmbeddedHost, None]:
    ears, voice = ears or FakeEars(), voice or FakeVoice()
    loaders = Loaders(hearing=lambda source: ears, speaking=lambda source, threads: voice, decode=as_it_is)
    sources = {
        HEARS: ModelSource(kind="transcription", files={}, fetch=fetch),
        SPEAKS: ModelSource(kind="speech", files={}, fetch=fetch),
    }
    async with open_host(sources, limits or HostLimits(threads=1), loaders=loaders) as host:
        yield host


def form_body(fields: Mapping[str, str | list[str]], file: bytes | None) -> bytes:
    parts = [
        f'--b\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, values in fields.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    if file is not None:
        head = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        parts.append(head + file + b"\r\n")
    return b"".join(parts) + b"--b--\r\n"


def asked_by_form(host: EmbeddedHost, operation: str = "transcriptions") -> Asked:
    headers = {b"content-type": b"multipart/form-data; boundary=b"}
    admitted = host.accept(Head(method=b"POST", raw_path=f"/v1/audio/{operation}".encode(), headers=headers))
    assert isinstance(admitted, Asked)
    return admitted


async def hear(host: EmbeddedHost, file: bytes | None = b"sound", **fields: str | list[str]) -> Reply:
    fields = {"model": HEARS, **{name.replace("__", "[]"): value for name, value in fields.items()}}
    return await asked_by_form(host).answer(form_body(fields, file))


def error(reply: Reply) -> dict[str, Any]:
    assert reply.status >= 400
    return msgspec.json.decode(reply.body)["error"]
