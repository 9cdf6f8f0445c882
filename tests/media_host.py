"""A scripted host of media, with forms read by Python's own parser of mail, and answers that the vendors document."""

import asyncio
import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer, Upstream

SOUND = bytes(range(256)) * 300
"""What every text sounds like here: no text, and longer than one piece."""
PICTURE = base64.b64encode(bytes(range(256)) * 60).decode()
TOKENS = {
    "type": "tokens",
    "input_tokens": 14,
    "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
    "output_tokens": 5,
    "total_tokens": 19,
}
PICTURE_TOKENS = {
    "input_tokens": 50,
    "output_tokens": 272,
    "total_tokens": 322,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
}
SEGMENT = {
    "id": 0,
    "seek": 0,
    "start": 0.0,
    "end": 1.5,
    "text": " Hello there.",
    "tokens": [1, 2],
    "temperature": 0.0,
    "avg_logprob": -0.2,
    "compression_ratio": 1.0,
    "no_speech_prob": 0.01,
}
WRITTEN: dict[str, tuple[bytes, bytes]] = {
    "text": (b"text/plain; charset=utf-8", b"Hello there.\n"),
    "srt": (b"text/plain; charset=utf-8", b"1\n00:00:00,000 --> 00:00:01,500\nHello there.\n\n"),
    "vtt": (b"text/vtt; charset=utf-8", b"WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello there.\n\n"),
}


def form(seen: Seen) -> list[tuple[str, str | None, bytes]]:
    """The parts of a request's form: name, file name, bytes."""
    kind = seen.header(b"content-type") or b""
    whole = BytesParser(policy=HTTP).parsebytes(b"content-type: " + kind + b"\r\n\r\n" + seen.body)
    assert not whole.defects, whole.defects
    return [_part(each) for each in whole.iter_parts()]


def _part(part: Message) -> tuple[str, str | None, bytes]:
    name = part.get_param("name", header="content-disposition")
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    return str(name), part.get_filename(), data


def fields(seen: Seen) -> dict[str, bytes]:
    """The same by name, the last of each."""
    return {name: data for name, _, data in form(seen)}


def events(*given: dict[str, Any]) -> Answer:
    """Server-sent events, cut where no event ends."""
    text = b"".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in given)
    return Answer(pieces=tuple(text[at : at + 1000] for at in range(0, len(text), 1000)))


def respond(seen: Seen) -> Answer | None:
    """What is answered to each operation; the model `busy` never has time."""
    path = seen.target.partition(b"?")[0]
    if path.endswith((b"/audio/transcriptions", b"/audio/translations", b"/images/edits")):
        asked = {name: data.decode("latin-1") for name, data in fields(seen).items()}
    else:
        asked = json.loads(seen.body)
    if asked.get("model") == "busy":
        body = b'{"error": {"message": "Too many.", "code": "429"}}'
        return Answer(status=429, body=body, headers=((b"retry-after-ms", b"50"),))
    streams = asked.get("stream") in (True, "true")
    if b"/audio/tr" in path:
        return _heard(asked, streams=streams)
    return _spoken(asked) if b"/audio/speech" in path else _pictures(path, streams=streams)


def _heard(asked: dict[str, str], *, streams: bool) -> Answer:
    kind = asked.get("response_format", "json")
    if streams:
        return events(
            {"type": "transcript.text.delta", "delta": "Hello "},
            {"type": "transcript.text.delta", "delta": "there."},
            {"type": "transcript.text.done", "text": "Hello there.", "usage": TOKENS},
        )
    if kind in WRITTEN:
        media, text = WRITTEN[kind]
        return Answer(body=text, headers=((b"content-type", media),))
    if kind == "verbose_json":
        seconds = {"type": "duration", "seconds": 2}
        told = {"task": "transcribe", "language": "english", "duration": 1.5, "text": "Hello there.", "usage": seconds}
        return Answer(body=json.dumps({**told, "segments": [SEGMENT]}).encode())
    return Answer(body=json.dumps({"text": "Hello there.", "usage": TOKENS, "novel": 1}).encode())


def _spoken(asked: dict[str, Any]) -> Answer:
    if asked.get("stream_format") == "sse":
        done = {key: TOKENS[key] for key in ("input_tokens", "output_tokens", "total_tokens")}
        audio = base64.b64encode(SOUND[:300]).decode()
        return events(
            {"type": "speech.audio.delta", "audio": audio},
            {"type": "speech.audio.done", "usage": done},
        )
    if asked["input"] == "Break off.":
        return Answer(pieces=(SOUND[:50_000],), headers=((b"content-type", b"audio/wav"),), reset=True)
    media = f"audio/{asked.get('response_format') or 'mpeg'}".encode()
    return Answer(pieces=(SOUND[:50_000], SOUND[50_000:]), headers=((b"content-type", media),))


def _pictures(path: bytes, *, streams: bool) -> Answer:
    kind = "image_edit" if path.endswith(b"/images/edits") else "image_generation"
    if not streams:
        return Answer(
            body=json.dumps({"created": 1, "data": [{"b64_json": PICTURE}], "usage": PICTURE_TOKENS}).encode()
        )
    facts = {"created_at": 1, "size": "1024x1024", "quality": "low", "background": "opaque", "output_format": "png"}
    partial = {"b64_json": PICTURE, **facts}
    return events(
        {"type": f"{kind}.partial_image", "partial_image_index": 0, **partial},
        {"type": f"{kind}.completed", **partial, "usage": PICTURE_TOKENS},
    )


class MediaHost:
    """The host in a thread of its own, for tests that are not asynchronous."""

    def __init__(self) -> None:
        self._upstream = Upstream(respond=respond)
        self.url = ""

    @property
    def seen(self) -> list[Seen]:
        """What it was asked."""
        return self._upstream.requests


@contextlib.contextmanager
def media_host() -> Iterator[MediaHost]:
    """One that is there until it is left."""
    host, ready, over = MediaHost(), threading.Event(), threading.Event()

    async def serve() -> None:
        async with host._upstream as upstream:
            host.url = upstream.url
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield host
    finally:
        over.set()
        thread.join()
