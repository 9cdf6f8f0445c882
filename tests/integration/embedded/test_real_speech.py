"""Text, speech, text: on the pinned weights, through the host's door."""

import asyncio
import io
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.speech_round_trip import SENTENCES, word_errors, words_of
from forehearth.embedded.catalogue import ModelSource, source_of
from forehearth.embedded.gguf import ModelUnusable
from forehearth.embedded.host import EmbeddedHost
from forehearth.embedded.speech_engine import HibariEngine
from forehearth.embedded.transcription_engine import WhisperEngine
from forehearth.embedded.turns import Stopped
from tests.integration.embedded.conftest import HEARS, SPEAKS
from tests.unit.embedded.fake_engine import parsed, post, until
from tests.unit.embedded.fake_voices import asked_by_form, error, form_body

pytestmark = [pytest.mark.models, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


async def spoken(host: EmbeddedHost, text: str, form: str = "wav", **members: object) -> bytes:
    body = {"model": SPEAKS, "voice": "alloy", "input": text, "response_format": form, **members}
    reply = await post(host, "/v1/audio/speech", body)
    assert reply.status == 200, reply.body
    return reply.body


async def heard(host: EmbeddedHost, file: bytes, **fields: str | list[str]) -> dict[str, object]:
    reply = await asked_by_form(host).answer(form_body({"model": HEARS, **fields}, file))
    assert reply.status == 200, reply.body
    body: dict[str, object] = parsed(reply)
    return body


async def test_what_is_spoken_is_heard(host: EmbeddedHost) -> None:
    sentences = SENTENCES[::5]
    wrong = [word_errors(each, str((await heard(host, await spoken(host, each)))["text"])) for each in sentences]
    assert sum(wrong) <= 0.2 * sum(len(words_of(each)) for each in sentences)


@pytest.mark.parametrize("form", ["mp3", "opus", "aac", "flac"])
async def test_formats_can_be_heard_again(host: EmbeddedHost, form: str) -> None:
    body = await heard(host, await spoken(host, "Good morning, everyone.", form))
    assert words_of(str(body["text"])) == ["good", "morning", "everyone"]


async def test_numbers_of_16_bits_24000_times_a_second(host: EmbeddedHost) -> None:
    wav, pcm = await spoken(host, "Good morning."), await spoken(host, "Good morning.", "pcm")
    with soundfile.SoundFile(io.BytesIO(wav)) as file:
        assert (file.samplerate, file.channels, file.subtype, 2 * file.frames) == (24_000, 1, "PCM_16", len(pcm))


async def test_speed_is_kept(host: EmbeddedHost) -> None:
    slow, usual, fast = [len(await spoken(host, SENTENCES[0], "pcm", speed=speed)) for speed in (0.5, 1.0, 2.0)]
    assert slow > 1.6 * usual
    assert fast < 0.7 * usual


async def test_a_long_recording_is_told_in_order(host: EmbeddedHost) -> None:
    text = " ".join(SENTENCES[:12])
    body = await heard(host, await spoken(host, text), response_format="verbose_json")
    segments = body["segments"]
    assert float(str(body["duration"])) > 30
    assert word_errors(text, str(body["text"])) < 0.2 * len(words_of(text))
    assert [each["start"] for each in segments] == sorted(each["start"] for each in segments)
    assert all(0 <= each["start"] <= each["end"] <= float(str(body["duration"])) + 0.01 for each in segments)


async def test_silence_says_nothing(host: EmbeddedHost) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(16_000 * 3, np.int16), 16_000, format="WAV")
    assert (await heard(host, file.getvalue()))["text"] == ""


async def test_who_leaves_while_it_hears_frees_the_place(host: EmbeddedHost) -> None:
    minute = await spoken(host, " ".join(SENTENCES), "flac")
    call = asyncio.create_task(asked_by_form(host).answer(form_body({"model": HEARS}, minute)))
    await until(lambda: host.health()["models"][HEARS]["busy"] == 1)
    call.cancel()
    await until(lambda: host.health()["models"][HEARS]["busy"] == 0)


async def test_what_cannot_be_spoken_is_said(host: EmbeddedHost) -> None:
    body = {"model": SPEAKS, "voice": "alloy", "input": "\u4f60\u597d"}
    reply = await post(host, "/v1/audio/speech", body)
    assert (reply.status, error(reply)["param"]) == (400, "input")


@pytest.mark.parametrize("text", ["9" * 4_096, "[(" * 2_048, '"' * 4_096, "[a" * 2_048, "1/2" * 1_365, "\0" * 4_096])
async def test_texts_that_are_made_to_hurt_are_over_soon(sources: Mapping[str, ModelSource], text: str) -> None:
    """By the count of steps, not the clock: each looks at its own short piece."""
    engine = HibariEngine(sources[SPEAKS], 1)
    longest = max((len(sounds) for sounds in engine.sounds(text)), default=0)
    assert longest <= 400


@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json", "config.json"])
async def test_without_a_file_nothing_is_heard(sources: Mapping[str, ModelSource], tmp_path: Path, name: str) -> None:
    folder = tmp_path / "ears"
    shutil.copytree(sources[HEARS].files["weights"].parent, folder)
    (folder / name).unlink()
    with pytest.raises(ModelUnusable):
        WhisperEngine(source_of(HEARS, folder))


@pytest.mark.parametrize("name", ["assets/hibari.onnx", "tts.py", "assets/oov.onnx"])
async def test_with_another_file_nothing_is_spoken(
    sources: Mapping[str, ModelSource], tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "voice"
    shutil.copytree(sources[SPEAKS].files["voice"].parents[2], folder)
    with (folder / "hibari" / name).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(ModelUnusable, match="is not the pinned one"):
        HibariEngine(source_of(SPEAKS, folder), 1)


async def test_it_stops_when_it_is_told_to(sources: Mapping[str, ModelSource]) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        HibariEngine(sources[SPEAKS], 1).speak("Good morning.", 1.0, stop)
    with pytest.raises(Stopped):
        WhisperEngine(sources[HEARS]).transcribe(bytes(32_000), "", 0.0, stop)
