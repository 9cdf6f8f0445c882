"""The host's door for texts to speak, and how a text is cut."""

import sys

import pytest

from forehearth.embedded.speech import LONGEST_INPUT, VOICES
from forehearth.embedded.speech_engine import pieces
from tests.unit.embedded.fake_engine import post
from tests.unit.embedded.fake_voices import HEARS, SPEAKS, FakeVoice, error, host_of

BODY = {"model": SPEAKS, "voice": "alloy", "input": "Hello"}


async def test_a_text_is_spoken() -> None:
    voice = FakeVoice()
    async with host_of(voice=voice) as host:
        reply = await post(host, "/v1/audio/speech", BODY | {"response_format": "pcm", "speed": 1.5})
    assert (reply.status, reply.headers) == (200, ((b"content-type", b"audio/pcm"),))
    assert reply.body == b"\xff\x7f" * len("Hello")
    assert voice.spoken == [("Hello", 1.5)]


@pytest.mark.parametrize("voice", VOICES)
async def test_the_voices_of_the_service_are_taken(voice: str) -> None:
    async with host_of() as host:
        assert (await post(host, "/v1/audio/speech", BODY | {"voice": voice, "response_format": "pcm"})).status == 200


@pytest.mark.parametrize(
    ("members", "param", "says"),
    [
        ({"input": None}, "input", "Missing required parameter"),
        ({"input": " \n"}, "input", "must not be empty"),
        ({"input": "x" * (LONGEST_INPUT + 1)}, "input", "at most 4096 characters, and has 4097"),
        ({"voice": None}, "voice", "Missing required parameter"),
        ({"voice": "bob"}, "voice", "must be one of heart, alloy"),
        ({"voice": {"id": "voice_1"}}, "voice", "cannot be a voice of one's own"),
        ({"response_format": "wma"}, "response_format", "must be one of mp3, opus, aac, flac, wav, pcm"),
        ({"speed": 5}, "speed", "from 0.25 to 4"),
        ({"instructions": "Whisper."}, "instructions", "cannot be followed"),
        ({"stream_format": "sse"}, "stream_format", "can only be 'audio'"),
        ({"pitch": 1}, "pitch", "Unrecognized request argument"),
    ],
)
async def test_what_it_cannot_is_refused_by_name(members: dict[str, object], param: str, says: str) -> None:
    async with host_of() as host:
        reply = await post(host, "/v1/audio/speech", BODY | members)
    assert (reply.status, error(reply)["param"]) == (400, param)
    assert says in error(reply)["message"]


async def test_a_format_that_cannot_be_made_is_refused_before_anything_is_spoken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)  # as if it were not installed
    voice = FakeVoice()
    async with host_of(voice=voice) as host:
        reply = await post(host, "/v1/audio/speech", BODY | {"response_format": "aac"})
    assert (reply.status, error(reply)["param"]) == (400, "response_format")
    assert "the extra `media`" in error(reply)["message"]
    assert voice.spoken == []


async def test_a_model_that_hears_does_not_speak() -> None:
    async with host_of() as host:
        reply = await post(host, "/v1/audio/speech", BODY | {"model": HEARS})
    assert "cannot do speech" in error(reply)["message"]


def test_sentences_are_spoken_one_by_one() -> None:
    assert list(pieces("One. Two! “Three?” Four\nfive")) == ["One.", "Two!", "“Three?", "Four", "five"]


@pytest.mark.parametrize(
    "text", ["word " * 800, "x" * 4_096, "[(" * 2_048, "1/2" * 1_300, "a, " * 1_365, "\u202e" * 4_096]
)
def test_no_piece_is_long(text: str) -> None:
    found = list(pieces(text))
    assert max(map(len, found)) <= 240
    assert max(len(word) for piece in found for word in piece.split()) <= 60
    assert "".join("".join(found).split()) == "".join(text.split())
