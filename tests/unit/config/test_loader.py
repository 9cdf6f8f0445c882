"""Reading the file: which one, in what encoding, and how everything that is wrong is said at once."""

import os
from pathlib import Path

import pytest

from forehearth.config.loader import BUILT_IN, MOST_BYTES, load, locate
from forehearth.config.problems import SHOWN, ConfigError, Problem, written
from forehearth.core.errors import Misconfigured
from forehearth.embedded.catalogue import CATALOGUE
from forehearth.registry import PROVIDER_SETTINGS
from tests.unit.config.reading import problems
from tests.unit.config.toys import TOYS

GOLDEN = Path(__file__).with_name("golden")


def wrong(path):
    with pytest.raises(ConfigError) as caught:
        load(path, providers=TOYS, environ={})
    return caught.value.problems


def test_everything_wrong_at_once_as_a_newcomer_reads_it(monkeypatch):
    # After a change of words: look at each message, then copy what was said into the file.
    monkeypatch.chdir(GOLDEN)
    with pytest.raises(ConfigError) as caught:
        load(Path("broken.yaml"), providers=PROVIDER_SETTINGS, environ={"VLLM_API_KEY": "some-key"})
    said = str(caught.value).replace(str(GOLDEN), "FOLDER")
    assert said + "\n" == (GOLDEN / "broken.txt").read_text()
    assert "hunter2" not in said
    assert "0a1b2c3d4e5f60718293a4b5c6d7e8f9" not in said


def test_the_errors_are_the_configurations_fault():
    assert issubclass(ConfigError, Misconfigured)


def test_which_file_is_read(tmp_path):
    named = tmp_path / "named.yaml"
    assert locate(named, tmp_path) == named
    assert locate(None, tmp_path) == BUILT_IN
    (tmp_path / "forehearth.yaml").write_text("version: 1")
    assert locate(None, tmp_path) == tmp_path / "forehearth.yaml"


def test_the_built_in_configuration():
    settings = load(BUILT_IN, providers=PROVIDER_SETTINGS, environ={})
    names = ["smollm2-135m-instruct", "all-minilm-l6-v2", "whisper-tiny-en", "hibari-tts"]
    assert list(settings.deployments) == names
    assert [each.model.type for each in settings.deployments.values()] == [
        "chat_completion",
        "embeddings",
        "audio_transcription",
        "audio_generation",
    ]
    assert all(each.model.publisher for each in settings.deployments.values())
    contexts = {name: each.model.context_tokens for name, each in settings.deployments.items()}
    assert contexts == {name: model.context_tokens for name, model in CATALOGUE.items()}
    assert settings.routes["default"].deployment == "smollm2-135m-instruct"
    assert (settings.server.host, settings.server.port, settings.server.tls_port) == ("127.0.0.1", 8080, 8443)


def test_a_file_that_is_not_there(tmp_path):
    path = tmp_path / "no.yaml"
    (problem,) = wrong(path)
    assert (
        str(problem) == f"{path}: the file cannot be read: No such file or directory\n    give the path of a YAML file"
    )


def test_a_folder(tmp_path):
    (problem,) = wrong(tmp_path)
    assert problem.message == "the file cannot be read: Is a directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(tmp_path):
    (tmp_path / "a.yaml").write_text("version: 1")
    (tmp_path / "a.yaml").chmod(0)
    assert wrong(tmp_path / "a.yaml")[0].message == "the file cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        (b"version: 1\n# sch\xf6n\n", (2, 6), "the byte 0xf6 is not UTF-8"),
        ("# Größe: \n".encode() + b"a: \xff", (2, 4), "the byte 0xff is not UTF-8"),
        ("version: 1".encode("utf-16"), (0, 0), "the file is not UTF-8 but UTF-16 or binary"),
        (b"\x7fELF\x00\x00\xff", (0, 0), "the file is not UTF-8 but UTF-16 or binary"),
        (b"\x00", (1, 1), "the character U+0000 may not stand in YAML"),
        (b"#" * (MOST_BYTES + 1), (0, 0), f"the file is larger than {MOST_BYTES} bytes"),
    ],
)
def test_what_is_no_text(tmp_path, content, place, message):
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    (problem,) = wrong(path)
    assert (problem.line, problem.column) == place
    assert problem.message == message


def test_a_large_file_that_is_still_read(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"version: 1\n".ljust(MOST_BYTES, b"#"))
    assert load(path, providers=TOYS, environ={}).version == 1


def test_too_much_text():
    (problem,) = problems("#" * (MOST_BYTES + 1))
    assert problem.message == f"the file is larger than {MOST_BYTES} bytes"


def test_relative_paths_begin_at_the_files_folder(tmp_path, monkeypatch):
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "ca.pem").write_text("pem")
    (inner / "key").write_text("a-secret")
    (inner / "a.yaml").write_text("version: 1\nbackends: {t: {provider: toy, file: ca.pem, secret: file:key}}")
    monkeypatch.chdir(tmp_path)
    settings = load(Path("inner/a.yaml"), providers=TOYS, environ={})
    assert settings.backends["t"].file == str(inner / "ca.pem")
    assert settings.backends["t"].secret.reveal() == "a-secret"


def test_very_many_problems_are_counted_and_not_all_printed():
    text = "version: 1\nbackends:\n" + "".join(f"  b{n}: {{provider: x}}\n" for n in range(SHOWN + 5))
    with pytest.raises(ConfigError) as caught:
        load(text, providers=TOYS, environ={})
    assert len(caught.value.problems) == SHOWN + 5
    said = str(caught.value).splitlines()
    assert said[-2:] == ["… and 5 more.", f"{SHOWN + 5} problems."]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ((), ""),
        (("a",), "a"),
        (("a", "b-c", 0, "d_e"), "a.b-c[0].d_e"),
        (("a", "gpt-4.1", "b"), 'a["gpt-4.1"].b'),
        (("", "x y"), '[""]["x y"]'),
        (("a\nb",), '["a\\nb"]'),
        (("x" * 200,), f'["{"x" * 39}…"]'),
    ],
)
def test_paths_as_they_are_shown(path, shown):
    assert written(path) == shown


def test_a_problem_in_words():
    problem = Problem(file="f.yaml", line=3, column=5, path="a.b", message="it is wrong", hint="right it")
    assert str(problem) == "f.yaml:3:5: a.b: it is wrong\n    right it"
