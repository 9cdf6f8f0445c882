import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from forehearth.cli.welcome import Place, addresses, program, welcome
from forehearth.core.settings import (
    DeploymentBackend,
    DeploymentSettings,
    ModelSettings,
    RouteSettings,
    ServerSettings,
    Settings,
    TlsSettings,
)
from forehearth.providers.embedded import EmbeddedSettings
from forehearth.providers.scripted import ScriptedSettings
from forehearth.server.data_directory import DataDirectory
from forehearth.server.listening import Listener, listen

SMALL = DeploymentSettings(backends=(DeploymentBackend(backend="here"),))
VECTORS = msgspec.structs.replace(SMALL, model=ModelSettings(type="embeddings"))


@pytest.fixture
def listeners() -> Iterator[tuple[Listener, ...]]:
    opened = listen(ServerSettings(port=0, tls_port=0))
    yield tuple(opened)
    for each in opened:
        each.socket.close()


@pytest.fixture
def place(tmp_path: Path, listeners: tuple[Listener, ...]) -> Place:
    return Place(
        settings=Settings(backends={"here": EmbeddedSettings()}, deployments={"vectors": VECTORS, "small": SMALL}),
        data=DataDirectory(path=tmp_path / "a folder"),
        listeners=listeners,
        key_is_stored=True,
        is_default=True,
        program="forehearth",
    )


def with_settings(place: Place, **changed: object) -> Place:
    return msgspec.structs.replace(place, settings=msgspec.structs.replace(place.settings, **changed))


def example(place: Place) -> str:
    [line] = re.findall(r"^  Try    (.*)$", welcome(place), re.MULTILINE)
    return line


@pytest.mark.parametrize(
    ("host", "http", "https"),
    [
        ("127.0.0.1", "http://127.0.0.1:", "https://localhost:"),
        ("localhost", "http://localhost:", "https://localhost:"),
        ("0.0.0.0", "http://127.0.0.1:", "https://localhost:"),
        ("::", "http://[::1]:", "https://localhost:"),
        ("::1", "http://[::1]:", "https://localhost:"),
        ("gate.example", "http://gate.example:", "https://gate.example:"),
        ("10.0.0.7", "http://10.0.0.7:", "https://10.0.0.7:"),
    ],
)
def test_addresses_are_ones_that_can_be_called(place: Place, host: str, http: str, https: str):
    first, second = addresses(with_settings(place, server=ServerSettings(host=host)))
    assert first.startswith(http)
    assert second.startswith(https)


def test_every_shape_is_told_for_every_origin(place: Place):
    text = welcome(place)
    for origin in addresses(place):
        for path in ("/models", "/openai/v1/", "/"):
            assert re.search(rf"{re.escape(origin + path)}(\s|$)", text)


def test_without_https_there_is_one_origin_and_no_word_about_trust(place: Place):
    plain = msgspec.structs.replace(place, listeners=tuple(each for each in place.listeners if not each.tls))
    assert len(addresses(plain)) == 1
    assert "Trust" not in welcome(plain)


def test_a_certificate_of_ones_own_needs_no_trust(place: Place):
    own = ServerSettings(tls=TlsSettings(certificate="/c.pem", key="/k.pem"))
    assert "Trust" not in welcome(with_settings(place, server=own))


@pytest.mark.parametrize(("is_default", "option"), [(True, False), (False, True)])
def test_trust_names_the_data_directory_where_it_has_to(place: Place, is_default: bool, option: bool):
    text = welcome(msgspec.structs.replace(place, is_default=is_default))
    quoted = shlex.quote(str(place.data.path))
    assert (f'eval "$(forehearth tls trust --data-dir {quoted})"' in text) is option


def test_the_example_is_a_command_that_reads_the_key_from_its_file(place: Place):
    words = shlex.split(example(place))
    assert words[0] == "curl"
    assert '"small"' in words[-1]
    assert f"api-key: $(cat {shlex.quote(str(place.data.keys / 'development'))})" in words


def test_the_example_reads_the_environments_key_where_that_is_the_key(place: Place):
    own = msgspec.structs.replace(place, key_is_stored=False)
    assert "api-key: $FOREHEARTH_API_KEY" in shlex.split(example(own))
    assert "keys/development" not in welcome(own)


def test_the_example_prefers_a_route_then_chat_then_embeddings(place: Place):
    routed = with_settings(place, routes={"default": RouteSettings(deployment="small")})
    assert '"default"' in example(routed)
    vectors = with_settings(place, deployments={"vectors": VECTORS})
    assert "/openai/v1/embeddings" in example(vectors)
    assert '"input"' in example(vectors)


def test_without_deployments_there_is_nothing_to_try(place: Place):
    assert "Try" not in welcome(with_settings(place, deployments={}, backends={}))


def test_who_has_only_our_small_models_is_told_how_to_get_on(place: Place):
    assert "Ollama, vLLM or Azure OpenAI" in welcome(place)
    assert "Ollama" not in welcome(with_settings(place, backends={"here": ScriptedSettings()}))


def test_a_program_on_the_path_is_called_by_its_name(tmp_path: Path):
    (tmp_path / "forehearth").write_text("#!/bin/sh\n")
    (tmp_path / "forehearth").chmod(0o755)
    called = str(tmp_path / "forehearth")
    assert program(called, {"PATH": str(tmp_path)}) == "forehearth"
    assert program(called, {"PATH": "/nowhere"}) == called
    assert program("/x/forehearth/__main__.py", {}) == f"{sys.executable} -m forehearth"


def test_what_is_to_be_pasted_is_one_line_each(place: Place):
    for line in re.findall(r"^  (?:Try|Trust)  +(.*)$", welcome(place), re.MULTILINE):
        done = subprocess.run(["sh", "-n", "-c", line.partition("  (")[0]], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
