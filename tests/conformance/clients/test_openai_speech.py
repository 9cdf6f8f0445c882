"""The official `openai` package, unmodified, on the embedded models that hear and speak: both surfaces, every form."""

from collections.abc import Iterator

import openai
import pytest
from openai import AzureOpenAI, OpenAI

from tests.forehearth_server import ForehearthServer

pytestmark = [
    pytest.mark.models,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),  # translations, in the package
]

TEXT = "The quick brown fox jumps over the lazy dog. Good morning, everyone."
HEARS, SPEAKS = "whisper-tiny-en", "hibari-tts"


@pytest.fixture(params=["v1", "classic"])
def client(request: pytest.FixtureRequest, server: ForehearthServer) -> Iterator[OpenAI]:
    if request.param == "v1":
        made = OpenAI(base_url=f"{server.url}/openai/v1", api_key=server.key, max_retries=0)
    else:
        made = AzureOpenAI(
            azure_endpoint=server.url, api_key=server.key, api_version="2025-04-01-preview", max_retries=0
        )
    with made:
        yield made


@pytest.fixture(scope="module")
def recording(server: ForehearthServer) -> bytes:
    with OpenAI(base_url=f"{server.url}/openai/v1", api_key=server.key) as client:
        return client.audio.speech.create(model=SPEAKS, voice="alloy", input=TEXT).content


def test_speech_is_mp3_unless_another_format_is_asked_for(client: OpenAI) -> None:
    mp3 = client.audio.speech.create(model="tts-1", voice="nova", input="Good morning.")
    assert mp3.response.headers["content-type"] == "audio/mpeg"
    assert mp3.content[0] == 0xFF
    with client.audio.speech.with_streaming_response.create(
        model=SPEAKS, voice="shimmer", input="Good morning.", response_format="wav", speed=1.25
    ) as streamed:
        assert streamed.headers["content-type"] == "audio/wav"
        assert b"".join(streamed.iter_bytes()).startswith(b"RIFF")


def test_what_was_said_comes_back(client: OpenAI, recording: bytes) -> None:
    whole = client.audio.transcriptions.create(model=HEARS, file=("a.mp3", recording), language="en", prompt="A fox.")
    assert whole.text == TEXT
    assert whole.usage is not None
    assert (whole.usage.type, whole.usage.seconds) == ("duration", 5)


def test_the_long_form_has_segments(client: OpenAI, recording: bytes) -> None:
    long = client.audio.transcriptions.create(
        model=HEARS, file=("a.mp3", recording), response_format="verbose_json", timestamp_granularities=["segment"]
    )
    assert (long.text, long.language, long.segments is not None) == (TEXT, "english", True)
    assert [segment.text.strip() for segment in long.segments or []] == TEXT.replace("dog. ", "dog.|").split("|")


@pytest.mark.parametrize(
    ("form", "begins"), [("text", "The quick"), ("srt", "1\n00:00:00,000 --> "), ("vtt", "WEBVTT\n\n00:00:00.000 --> ")]
)
def test_texts_and_subtitles(client: OpenAI, recording: bytes, form: str, begins: str) -> None:
    told = client.audio.transcriptions.create(model=HEARS, file=("a.mp3", recording), response_format=form)
    assert str(told).startswith(begins)
    assert "lazy dog." in str(told)


def test_what_cannot_be_done_is_said(client: OpenAI, recording: bytes) -> None:
    with pytest.raises(openai.BadRequestError, match="cannot translate") as translated:
        client.audio.translations.create(model=HEARS, file=("a.mp3", recording))
    with pytest.raises(openai.BadRequestError, match="can only be 'en'") as german:
        client.audio.transcriptions.create(model=HEARS, file=("a.mp3", recording), language="de")
    with pytest.raises(openai.BadRequestError, match="could not be decoded") as text:
        client.audio.transcriptions.create(model=HEARS, file=("a.mp3", b"This is a text." * 1_000))
    with pytest.raises(openai.BadRequestError, match="must be one of heart, alloy") as voice:
        client.audio.speech.create(model=SPEAKS, voice="bob", input="Hello")
    assert [each.value.param for each in (translated, german, text, voice)] == ["model", "language", "file", "voice"]
    assert translated.value.status_code == 400
