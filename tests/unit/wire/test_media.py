"""Sound and pictures through the gateway: what becomes a call, what is refused, and that nothing is left behind."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from forehearth.core.call import Call, Operation
from forehearth.core.document import StoreFailed
from forehearth.core.errors import BodyTooLarge, BodyTooSlow, InvalidField, MalformedBody, UnsupportedMediaType
from forehearth.core.exchange import OnePiece, Reply
from forehearth.core.place import Place
from forehearth.core.trace import Trace
from forehearth.ports.surface import Entry
from forehearth.routing.directory import Directory
from forehearth.stores.memory_spool import MemorySpool, MemorySpooled
from forehearth.wire import media
from forehearth.wire.azure_deployments import AzureDeployments
from forehearth.wire.openai_v1 import OpenAIV1
from forehearth.wire.projects import Projects
from tests.unit.dialects.test_form_fields import FILE, field, form
from tests.unit.doors import RESOURCE, head, principal

TYPE = "multipart/form-data; boundary=b"
PICTURE = field("image", b"\x89PNG", "a.png")


class Spool(MemorySpool):
    """It keeps what it gave."""

    def __init__(self) -> None:
        self.given: list[MemorySpooled] = []

    async def begin(self) -> MemorySpooled:
        self.given.append(await super().begin())
        return self.given[-1]


class Client:
    """The surfaces with media, before a door that keeps the calls."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.spool = Spool()
        empty = Directory({}, {}, created=0)
        made = {
            name: media.rows(self.door, self.spool, surface=name, upload_bytes=5_000)
            for name in (OpenAIV1.name, AzureDeployments.name)
        }
        v1 = [*made[OpenAIV1.name], *media.with_deployment(made[OpenAIV1.name])]
        self.surfaces = {
            "/openai/v1": OpenAIV1(empty, v1),
            "/api/projects": Projects(empty, ["sales"], v1=v1),
            "/openai": AzureDeployments(empty, media.with_deployment(made[AzureDeployments.name])),
        }

    async def door(self, call: Call) -> Reply:
        self.calls.append(call)
        return Reply(status=200)

    async def ask(self, target: str, body: Any, kind: str = TYPE) -> Call:
        asked = head(target, content_type=kind)
        surface = next(its for prefix, its in self.surfaces.items() if target.startswith(prefix))
        found = surface.find(asked)
        entry = Entry(
            asked=found,
            head=asked,
            trace=Trace("id"),
            principal=principal(),
            place=Place(resource=RESOURCE, project=found.project),
            started=0.0,
        )
        raw = json.dumps(body).encode() if isinstance(body, dict) else body
        try:
            if found.act is not None:
                await found.act(entry, raw)
            else:
                assert found.upload is not None
                await found.upload.act(entry, OnePiece(raw) if isinstance(raw, bytes) else raw)
            call = self.calls[-1]
            assert call.record is entry.record
            return call
        finally:
            opened = [each._body is not None for each in self.spool.given]
            assert all(opened[-1:])
            entry.record.close()
            assert all(each._body is None for each in self.spool.given)


@pytest.fixture
def client() -> Client:
    return Client()


V1, CLASSIC, SALES = "/openai/v1", "/openai/deployments/heard", "/api/projects/sales/openai/v1"
VERSION = "?api-version=2025-04-01-preview"
PLACES = [
    (f"{V1}%s", "openai_v1", "mine"),
    (f"{V1}/deployments/heard%s", "openai_v1", "heard"),
    (f"{CLASSIC}%s{VERSION}", "azure_deployments", "heard"),
    (f"{SALES}%s", "projects", "mine"),
    (f"{SALES}/deployments/heard%s", "projects", "heard"),
]


@pytest.mark.parametrize(("target", "surface", "name"), PLACES)
async def test_a_recording_becomes_a_call(client: Client, target: str, surface: str, name: str) -> None:
    body = form(field("model", "mine"), FILE, field("prompt", "Names"), field("stream", "true"))
    for path, operation in (
        ("/audio/transcriptions", Operation.TRANSCRIPTIONS),
        ("/audio/translations", Operation.TRANSLATIONS),
    ):
        call = await client.ask(target % path, body)
        assert (call.operation, call.surface, call.name) == (operation, surface, name)
        assert (call.project, call.model_in_body) == ("sales" if surface == "projects" else "", "mine")
        assert (call.stream, call.choices, call.body) == (True, 0, b"")
        assert call.form is not None
        assert call.form.held.size == len(body)
        assert body[slice(*(call.form.model_at or ()))] == b"mine"
        assert (call.form.texts, call.form.images) == (5, 0)


@pytest.mark.parametrize(("target", "surface", "name"), PLACES)
async def test_a_body_of_json_becomes_a_call(client: Client, target: str, surface: str, name: str) -> None:
    spoken = {"model": "mine", "input": "Hi.", "voice": {"id": "v"}, "stream_format": "sse", "novel": 1}
    drawn = {"model": "mine", "prompt": "A cat", "stream": True, "novel": 1}
    edited = {"model": "mine", "prompt": "A cat", "images": [{"image_url": "https://a.example"}], "stream": True}
    for path, body, operation in (
        ("/audio/speech", spoken, Operation.SPEECH),
        ("/images/generations", drawn, Operation.IMAGES),
        ("/images/edits", edited, Operation.IMAGE_EDITS),
    ):
        call = await client.ask(target % path, body, "application/json")
        assert (call.operation, call.surface, call.name, call.stream) == (operation, surface, name, True)
        assert json.loads(call.body) == body
        assert call.form is None
        assert call.has_model_member
    assert client.spool.given == []


async def test_pictures_become_a_call(client: Client) -> None:
    call = await client.ask(f"{V1}/images/edits", form(PICTURE, PICTURE, field("prompt", "Both"), field("model", "m")))
    assert call.form is not None
    assert (call.name, call.form.images, call.form.texts, call.stream) == ("m", 2, 4, False)


REFUSED: list[tuple[str, Any, str, type[Exception], str | None]] = [
    ("/audio/transcriptions", form(FILE), TYPE, InvalidField, "model"),
    ("/audio/transcriptions", form(field("model", "m")), TYPE, InvalidField, "file"),
    ("/audio/transcriptions", form(field("file", b"x" * 5_001, "a")), TYPE, BodyTooLarge, "file"),
    ("/audio/transcriptions", b"--c--\r\n", TYPE, MalformedBody, None),
    ("/audio/transcriptions", form(FILE), "multipart/form-data", MalformedBody, None),
    ("/audio/transcriptions", {"model": "m"}, "application/json", UnsupportedMediaType, None),
    ("/audio/speech", form(FILE), TYPE, UnsupportedMediaType, None),
    ("/audio/speech", b"{", "application/json", MalformedBody, None),
    ("/audio/speech", {"model": "m", "voice": "v"}, "application/json", InvalidField, "input"),
    ("/audio/speech", {"model": "m", "input": "", "voice": "v"}, "application/json", InvalidField, "input"),
    ("/audio/speech", {"model": "m", "input": "x"}, "application/json", InvalidField, "voice"),
    (
        "/audio/speech",
        {"model": "m", "input": "x", "voice": "v", "speed": 5},
        "application/json",
        InvalidField,
        "speed",
    ),
    (
        "/audio/speech",
        {"model": "m", "input": "x", "voice": "v", "response_format": "midi"},
        "application/json",
        InvalidField,
        "response_format",
    ),
    ("/images/generations", {"model": "m"}, "application/json", InvalidField, "prompt"),
    ("/images/generations", {"prompt": "x"}, "application/json", InvalidField, "model"),
    ("/images/generations", {"model": "m", "prompt": "x", "n": 11}, "application/json", InvalidField, "n"),
    ("/images/edits", {"model": "m", "prompt": "x"}, "application/json", InvalidField, "images"),
    ("/images/edits", b"x", "text/plain", UnsupportedMediaType, None),
    ("/images/edits", form(field("prompt", "x")), TYPE, InvalidField, "image"),
]


@pytest.mark.parametrize(("path", "body", "kind", "error", "param"), REFUSED, ids=range(len(REFUSED)))
async def test_what_is_wrong_is_named(
    client: Client, path: str, body: Any, kind: str, error: type[Exception], param: str | None
) -> None:
    with pytest.raises(error) as refused:
        await client.ask(V1 + path, body, kind)
    assert getattr(refused.value, "param", None) == param
    assert client.calls == []


class Cut:
    """A body of which the rest does not come."""

    def __init__(self, body: bytes, error: Exception) -> None:
        self._pieces: list[bytes] = [body]
        self._error = error

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._pieces:
            return self._pieces.pop()
        raise self._error

    async def aclose(self) -> None:
        """Nothing to let go."""


@pytest.mark.parametrize("error", [BodyTooSlow("slow"), StoreFailed("full")])
async def test_of_a_body_that_breaks_off_nothing_is_left(client: Client, error: Exception) -> None:
    with pytest.raises(type(error)):
        await client.ask(f"{V1}/audio/transcriptions", Cut(form(FILE)[:-10], error))
    assert client.calls == []


async def test_json_is_bounded_where_a_form_may_come_too(client: Client) -> None:
    with pytest.raises(BodyTooLarge):
        await client.ask(f"{V1}/images/edits", b" " * (16 * 1024 * 1024 + 1), "application/json")


def test_as_much_is_taken_as_the_service_takes(client: Client) -> None:
    made = media.rows(client.door, client.spool, surface="x", upload_bytes=2**30)
    most = {each.form: each.upload.most for each in made if each.upload is not None}
    assert most["/audio/transcriptions"] > 25 * 2**20
    assert most["/images/edits"] > 17 * 50 * 2**20
