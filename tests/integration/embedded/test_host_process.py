"""The host over a real socket: what a caller sees when it answers, and when it is killed in the middle of a call."""

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from forehearth.embedded.catalogue import ModelSource
from tests.integration.embedded.conftest import CHAT

pytestmark = [pytest.mark.models, pytest.mark.timeout(120)]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self._path)


@pytest.fixture
def process(
    sources: Mapping[str, ModelSource], tmp_path: Path, repository_root: Path
) -> Iterator["subprocess.Popen[str]"]:
    command = [
        sys.executable,
        "-m",
        "tests.integration.embedded.host_process",
        str(tmp_path / "s"),
        str(sources[CHAT].files["gguf"]),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=repository_root) as started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline() == "ready\n"
            yield started
        finally:
            started.kill()


@contextmanager
def asked(path: Path, **members: object) -> Iterator[http.client.HTTPResponse]:
    connection = UnixConnection(str(path))
    body = {"model": "own", "messages": [{"role": "user", "content": "Count to one thousand."}], **members}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
    with closing(connection), connection.getresponse() as response:
        yield response


def test_killing_it_in_a_call_ends_the_call(process: "subprocess.Popen[str]", tmp_path: Path) -> None:
    with asked(tmp_path / "s", max_tokens=4) as response:
        assert json.loads(response.read())["usage"]["completion_tokens"] == 4
    with asked(tmp_path / "s", max_tokens=3_000, stream=True) as response:
        assert response.status == 200
        assert response.readline().startswith(b'data: {"id":"chatcmpl-')
        process.kill()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
