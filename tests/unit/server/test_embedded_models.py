"""Which models run here, which of them a start waits for, and what brings the others."""

from pathlib import Path

from forehearth.config.loader import BUILT_IN, load
from forehearth.registry import PROVIDER_SETTINGS
from forehearth.server.embedded_host import sources
from forehearth.server.embedded_models import awaited, embedded_models
from forehearth.server.orders import EmbeddedModel

FIRST, LATER = ["smollm2-135m-instruct", "all-minilm-l6-v2"], ["whisper-tiny-en", "hibari-tts"]


def test_a_start_waits_for_those_that_chat_and_embed() -> None:
    models = embedded_models(load(BUILT_IN, providers=PROVIDER_SETTINGS, environ={}))
    assert [each.name for each in models] == FIRST + LATER
    assert [each.name for each in awaited(models)] == FIRST


def test_a_file_of_ones_own_is_waited_for() -> None:
    own = EmbeddedModel(name="/models/own.gguf", type="chat_completion")
    assert awaited((own,)) == (own,)


def test_the_host_itself_brings_those_that_hear_and_speak(tmp_path: Path) -> None:
    models = tuple(EmbeddedModel(name=name, type="") for name in FIRST + LATER)
    found = sources(models, {"FOREHEARTH_MODELS": str(tmp_path)})
    assert [name for name, source in found.items() if source.fetch is not None] == LATER
    assert found["whisper-tiny-en"].files["weights"] == tmp_path / "whisper-tiny-en" / "model.bin"
