"""Requests of media: a form goes on as it came but for the model's name, and a JSON body likewise."""

import asyncio
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from werkzeug.formparser import MultiPartParser as WerkzeugParser

from forehearth.core.call import MEDIA, Call, Operation
from forehearth.core.errors import MalformedBody, NotSupported, Refused
from forehearth.core.form import Form
from forehearth.core.secret import Secret
from forehearth.core.upstream import Request
from forehearth.dialects import audio
from forehearth.dialects.form_fields import read_whole
from forehearth.providers.azure_openai import AzureOpenAI, AzureOpenAISettings
from forehearth.providers.embedded import Embedded, EmbeddedSettings
from forehearth.providers.openai_compatible import OpenAICompatible, OpenAICompatibleSettings
from forehearth.providers.scripted import Scripted, ScriptedSettings
from forehearth.stores.memory_spool import MemorySpooled
from tests.unit.dialects.test_form_fields import FILE, TYPE, field, form
from tests.unit.dialects.test_multipart import read
from tests.unit.doors import principal

RULES = audio.transcription_rules(10_000)
THERE = OpenAICompatible("there", OpenAICompatibleSettings(base_url="http://there/v1"))


def call(body: bytes, *, piece: int = 65_536, operation: Operation = Operation.TRANSCRIPTIONS) -> Call:
    fields = read_whole(TYPE, body, RULES)
    uploaded = Form(content_type=TYPE, boundary=b"b", held=MemorySpooled(body, piece=piece), model_at=fields.model_at)
    return Call(
        request_id="1",
        surface="openai_v1",
        operation=operation,
        name="heard",
        body=b"",
        form=uploaded,
        model_in_body=fields.text("model"),
        principal=principal(),
        started=0.0,
    )


def sent(request: Request) -> bytes:
    source = request.source
    assert source is not None
    assert request.body == b""

    async def collect() -> bytes:
        return b"".join([piece async for piece in source.pieces()])

    body = asyncio.run(collect())
    assert len(body) == source.size
    assert asyncio.run(collect()) == body  # another host may have to be asked
    return body


def azure(form: Any) -> AzureOpenAI:
    settings = AzureOpenAISettings(endpoint="https://a.openai.azure.com", form=form, api_key=Secret("k"))
    return AzureOpenAI("azure", settings)


@pytest.mark.parametrize("before", [field("model", "a"), field("model", "a much longer name"), field("model", "")])
def test_the_model_is_the_hosts_and_nothing_else_is_touched(before: bytes) -> None:
    whole = form(field("prompt", "a--b"), before, FILE, field("novel", b"\xff\0"))
    request = THERE.request(call(whole), "whisper-1")
    assert request.target == b"/v1/audio/transcriptions"
    assert request.streams
    assert (b"content-type", TYPE) in request.headers
    assert (b"content-type", b"application/json") not in request.headers
    assert sent(request) == form(field("prompt", "a--b"), field("model", "whisper-1"), FILE, field("novel", b"\xff\0"))


def test_a_form_without_a_model_gets_one() -> None:
    assert read(sent(THERE.request(call(form(FILE)), "größe"))) == [
        ("model", None, "größe".encode()),
        ("file", "a.wav", b"RIFF"),
    ]


def test_where_the_path_names_the_model_the_form_is_as_it_came() -> None:
    whole = form(FILE, field("model", "mine"))
    request = azure("classic").request(call(whole), "whisper")
    assert request.target == b"/openai/deployments/whisper/audio/transcriptions?api-version=2024-10-21"
    assert sent(request) == whole
    assert b"whisper" in sent(azure("v1").request(call(whole), "whisper"))


def test_the_model_host_is_asked_like_any_other() -> None:
    embedded = Embedded("embedded", EmbeddedSettings(), socket="/run/models")
    assert b"tiny" in sent(embedded.request(call(form(FILE)), "tiny"))


@pytest.mark.parametrize("operation", sorted(MEDIA))
@pytest.mark.parametrize("provider", [azure("models"), Scripted("script", ScriptedSettings())])
def test_some_hosts_have_neither_sound_nor_pictures(provider: AzureOpenAI | Scripted, operation: Operation) -> None:
    with pytest.raises(NotSupported, match="sound and") as refused:
        provider.request(call(form(FILE), operation=operation), "m")
    assert refused.value.param == "model"


def test_a_body_of_json_keeps_all_but_its_model() -> None:
    body = b'{ "model":"mine", "input": "Hi.", "novel": 1.0}'
    asked = call(form(FILE), operation=Operation.SPEECH)
    asked = Call(
        request_id="1",
        surface="openai_v1",
        operation=Operation.SPEECH,
        name="speaks",
        body=body,
        model_in_body="mine",
        has_model_member=True,
        principal=asked.principal,
        started=0.0,
    )
    request = THERE.request(asked, "tts-1")
    assert request.body == body.replace(b'"mine"', b'"tts-1"')
    assert json.loads(request.body)["model"] == "tts-1"
    assert request.streams
    assert request.source is None


@given(
    fields=st.lists(
        st.tuples(st.sampled_from(["prompt", "language", "novel"]), st.binary(max_size=40)),
        max_size=3,
        unique_by=lambda each: each[0],
    ),
    model=st.none() | st.text(st.characters(codec="ascii", exclude_categories=("Cc",)), max_size=20),
    at=st.integers(0, 4),
    piece=st.integers(1, 60),
)
def test_what_a_host_reads_is_what_the_caller_wrote(
    fields: list[tuple[str, bytes]], model: str | None, at: int, piece: int
) -> None:
    fields = [(name, data.replace(b"\r\n--b", b"").replace(b"--b", b"")) for name, data in fields]
    written = [field(name, data) for name, data in fields]
    written.insert(at, FILE)
    if model is not None and "--b" not in model:
        written.insert(at, field("model", model))
    body = form(*written)
    before = read(body)
    after = read(sent(THERE.request(call(body, piece=piece), "theirs")))
    assert [each for each in after if each[0] != "model"] == [each for each in before if each[0] != "model"]
    assert [data for name, _, data in after if name == "model"] == [b"theirs"]


def models_as_others_read_them(body: bytes) -> list[list[bytes]]:
    """The values of `model`, by readers that many hosts have; one that refuses the form is left out."""
    return [found for each in (_werkzeug, _python_multipart) if (found := each(body)) is not None]


def _werkzeug(body: bytes) -> list[bytes] | None:
    try:
        texts, files = WerkzeugParser(lambda *_, **__: io.BytesIO()).parse(io.BytesIO(body), b"b", len(body))
    except ValueError:
        return None
    return [*map(str.encode, texts.getlist("model")), *(each.read() for each in files.getlist("model"))]


def _python_multipart(body: bytes) -> list[bytes] | None:
    found: list[bytes] = []
    part: dict[str, Any] = {}

    def begin() -> None:
        part.update(name=b"", value=b"", head={}, data=b"")

    def add(what: str) -> Any:
        return lambda data, start, end: part.update({what: part[what] + data[start:end]})

    def header() -> None:
        part["head"][part["name"].lower()] = part["value"]
        part.update(name=b"", value=b"")

    def end() -> None:
        _, named = parse_options_header(part["head"].get(b"content-disposition", b""))
        found.extend([part["data"]] if named.get(b"name") == b"model" else [])

    callbacks: Any = {
        "on_part_begin": begin,
        "on_header_field": add("name"),
        "on_header_value": add("value"),
        "on_header_end": header,
        "on_part_data": add("data"),
        "on_part_end": end,
    }
    parser = MultipartParser(b"b", callbacks)
    try:
        parser.write(body)
        parser.finalize()
    except FormParserError:
        return None
    return found


PIECES = st.sampled_from(
    [
        b"--b",
        b"\r\n",
        b"\n",
        b"\r",
        b"--",
        b"; name=model",
        b'; name="model"',
        b'"',
        b"\\",
        b"%22",
        b"x",
        b"*=UTF-8''model",
    ]
)
HIDING = [
    b"x\n--b\r\nContent-Disposition: form-data; name=model\r\n\r\nmine",
    b"--b\r\nContent-Disposition: form-data; name=model\r\n\r\nmine",
]


@pytest.mark.parametrize("hidden", HIDING)
def test_no_other_model_hides_in_a_file(hidden: bytes) -> None:
    """Some readers take this for a part of its own."""
    body = form(field("file", hidden, "a.wav"))
    assert any(models_as_others_read_them(body))
    with pytest.raises(MalformedBody):
        call(body)


@given(
    files=st.lists(PIECES, max_size=8).map(b"".join),
    header=st.lists(PIECES, max_size=5).map(b"".join),
    first=st.booleans(),
)
def test_whatever_is_accepted_other_readers_see_our_model_in_it_alone(files: bytes, header: bytes, first: bool) -> None:
    model = b"--b\r\nContent-Disposition: form-data; name=n" + header + b"\r\n\r\nmine\r\n"
    body = form(*((model, field("file", files, "a.wav")) if first else (field("file", files, "a.wav"), model)))
    try:
        asked = call(body)
    except Refused:
        return
    for found in models_as_others_read_them(sent(THERE.request(asked, "theirs"))):
        assert found == [b"theirs"]
