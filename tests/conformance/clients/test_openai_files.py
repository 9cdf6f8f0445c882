"""The official `openai` package, unmodified, on files; its replies are held against both vendors' specifications."""

import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, AzureOpenAI, DefaultHttpxClient, OpenAI

from tests.conformance.openapi import Document
from tests.conftest import StartForehearth
from tests.forehearth_server import ForehearthServer
from tests.integration.identity.loopback_issuer import LoopbackIssuer

AZURE, OPENAI = Document("azure-files.json"), Document("openai-files.json")
OPENAIS_OWN = {"vision", "user_data"}
"""Purposes that Azure's document does not have."""
AZURES_OWN = {"evals"}
"""Those that a file of OpenAI's document does not have, though one may be uploaded for it."""
FORMS = ((re.compile(r".*/files"), "/files"), (re.compile(r".*/files/[^/]+"), "/files/{file_id}"))
CONFIG = """
version: 1
backends: {{script: {{provider: scripted}}}}
deployments: {{chat: {{backends: [{{backend: script}}]}}}}
projects: {{sales: {{}}}}
identity:
  oidc:
    test: {{issuer: "{issuer}", keys_url: "{keys}", audiences: ["https://ai.azure.com"]}}
  assignments:
    - {{role: Foundry User, user: maria}}
"""
CONTENT = bytes(range(256)) * 2_000


def documents(body: Any) -> list[Document]:
    """The documents that have the purposes of a reply's files."""
    purposes = {each["purpose"] for each in body.get("data", [body]) if "purpose" in each}
    return [each for each, others in ((AZURE, OPENAIS_OWN), (OPENAI, AZURES_OWN)) if not purposes & others]


class Replies:
    """Every successful reply of a client in JSON, held against the schema of its operation."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, Any]] = []

    def check(self, response: Any) -> None:
        if response.headers["content-type"] != "application/json" or response.status_code != 200:
            return
        response.read()
        method, path = response.request.method, response.request.url.path
        form = next(form for pattern, form in FORMS if pattern.fullmatch(path))
        body = response.json()
        held = documents(body)
        assert held, body
        for document in held:
            assert [error.message for error in document.answer(method, form).iter_errors(body)] == [], body
        self.seen.append((method, form, body))


@pytest.fixture(scope="module")
def server(start_module_forehearth: StartForehearth, issuer: LoopbackIssuer) -> ForehearthServer:
    config = CONFIG.format(issuer=issuer.url, keys=issuer.keys_url)
    return start_module_forehearth(config, environment={"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"})


@pytest.fixture
def replies() -> Replies:
    return Replies()


@pytest.fixture(params=["v1", "classic", "project"])
def client(
    request: pytest.FixtureRequest, server: ForehearthServer, issuer: LoopbackIssuer, replies: Replies
) -> Iterator[OpenAI]:
    http = DefaultHttpxClient(event_hooks={"response": [replies.check]})
    made: OpenAI
    if request.param == "v1":
        made = OpenAI(base_url=f"{server.url}/openai/v1/", api_key=server.key, http_client=http)
    elif request.param == "classic":
        made = AzureOpenAI(azure_endpoint=server.url, api_key=server.key, api_version="2024-10-21", http_client=http)
    else:
        base = f"{server.url}/api/projects/sales/openai/v1/"
        made = OpenAI(base_url=base, api_key=issuer.token("maria"), http_client=http)
    with made:
        yield made


def test_a_file_lives_and_ends(client: OpenAI, replies: Replies, tmp_path: Path) -> None:
    path = tmp_path / "übung.jsonl"
    path.write_bytes(CONTENT)
    made = client.files.create(file=path, purpose="fine-tune")
    assert (made.filename, made.bytes, made.purpose) == ("übung.jsonl", len(CONTENT), "fine-tune")
    assert made.status == "processed"
    assert made.expires_at is None
    assert client.files.retrieve(made.id) == made
    assert client.files.wait_for_processing(made.id) == made
    assert client.files.content(made.id).read() == CONTENT
    with client.files.with_streaming_response.content(made.id) as streamed:
        streamed.stream_to_file(tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == CONTENT
    deleted = client.files.delete(made.id)
    assert (deleted.id, deleted.deleted, deleted.object) == (made.id, True, "file")
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(made.id)
    with pytest.raises(openai.NotFoundError):
        client.files.content(made.id)
    assert {(method, form) for method, form, _ in replies.seen} == {
        ("POST", "/files"),
        ("GET", "/files/{file_id}"),
        ("DELETE", "/files/{file_id}"),
    }


@pytest.mark.parametrize("purpose", ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"])
def test_every_purpose_with_an_end(client: OpenAI, purpose: Any) -> None:
    made = client.files.create(
        file=("a.txt", io.BytesIO(b"x")), purpose=purpose, expires_after={"anchor": "created_at", "seconds": 86_400}
    )
    assert made.expires_at == made.created_at + 86_400
    client.files.delete(made.id)


def test_a_list_in_pages(client: OpenAI) -> None:
    made = [client.files.create(file=("a", b"x"), purpose="evals").id for _ in range(5)]
    assert [each.id for each in client.files.list(purpose="evals")] == made[::-1]
    assert [each.id for each in client.files.list(purpose="evals", limit=2, order="asc")] == made
    assert client.files.list(purpose="batch").data == []
    for each in made:
        client.files.delete(each)


def test_what_is_refused(client: OpenAI) -> None:
    wrong: Any = "no such purpose"
    with pytest.raises(openai.BadRequestError) as refused:
        client.files.create(file=("a", b"x"), purpose=wrong)
    assert refused.value.param == "purpose"
    with pytest.raises(openai.BadRequestError, match="3600"):
        client.files.create(file=("a", b"x"), purpose="batch", expires_after={"anchor": "created_at", "seconds": 60})


async def test_async(server: ForehearthServer) -> None:
    async with AsyncOpenAI(base_url=f"{server.url}/openai/v1/", api_key=server.key) as client:
        made = await client.files.create(file=("a.bin", os.urandom(1000)), purpose="user_data")
        assert len((await client.files.content(made.id)).content) == 1000
        await client.files.delete(made.id)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
def test_curl(server: ForehearthServer, tmp_path: Path) -> None:
    path = tmp_path / 'a b;c".txt'
    path.write_bytes(CONTENT * 10)
    url = f"{server.url}/openai/v1/files"
    key = ["-H", f"api-key: {server.key}"]

    def curl(*arguments: str) -> bytes:
        command = ["curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "60", *key, *arguments]
        return subprocess.run(command, capture_output=True, check=True).stdout

    quoted = str(path).replace('"', '\\"')
    made = json.loads(curl(url, "-F", f'file=@"{quoted}"', "-F", "purpose=evals"))
    assert (made["filename"], made["bytes"]) == ('a b;c".txt', len(CONTENT) * 10)
    assert curl(f"{url}/{made['id']}/content") == CONTENT * 10
    saved = tmp_path / "saved"
    curl("--output", str(saved), f"{url}/{made['id']}/content")
    assert saved.read_bytes() == CONTENT * 10
    assert json.loads(curl("-X", "DELETE", f"{url}/{made['id']}"))["deleted"] is True


def mutated(value: Any) -> Iterator[Any]:
    """A reply with a stranger, without a member, or with one of another type; in the files of a list as well."""
    yield value | {"a_stranger": 1}
    for name, each in value.items():
        yield {key: other for key, other in value.items() if key != name}
        yield value | {name: {"a_stranger": 1}}
        if name == "data":
            for changed in mutated(each[0]):
                yield value | {"data": [changed]}


def test_a_changed_reply_is_found(server: ForehearthServer) -> None:
    """So the check of every reply above can fail."""
    replies = Replies()
    http = DefaultHttpxClient(event_hooks={"response": [replies.check]})
    with OpenAI(base_url=f"{server.url}/openai/v1/", api_key=server.key, http_client=http) as client:
        made = client.files.create(file=("a", b"x"), purpose="assistants")
        client.files.list()
        client.files.retrieve(made.id)
        client.files.delete(made.id)
    count = 0
    for method, form, body in replies.seen:
        for changed in mutated(body):
            for document in (AZURE, OPENAI):
                assert not document.answer(method, form).is_valid(changed), (method, form, changed)
            count += 1
    assert count > 50
