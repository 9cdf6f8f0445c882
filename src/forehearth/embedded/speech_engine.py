"""Speaks a text by Hibari: its own code makes sounds of letters, onnxruntime makes a voice of sounds.

The code comes with the weights, pinned as they are (`audio_pins`). It is not hardened against strangers' texts: some
take it a time that grows with their square. So it never sees more than a short piece.
"""

import importlib.util
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from forehearth.core.errors import InvalidField
from forehearth.embedded.archives import has_hash
from forehearth.embedded.audio_pins import HIBARI
from forehearth.embedded.catalogue import ModelSource
from forehearth.embedded.gguf import ModelUnusable
from forehearth.embedded.turns import check
from forehearth.embedded.whisper_weights import Array

RATE: Final = 24_000
"""Samples a second."""
LONGEST_SECONDS: Final = 30 * 60
"""Of what is spoken for one call."""

_PIECE: Final = 240
"""Characters that are looked at together."""
_WORD: Final = 60
_SOUNDS: Final = 400
"""Sounds that are spoken in one breath: more make the arrays large."""
_SENTENCE: Final = re.compile(r"(?<=[.!?\u2026])[\"\u2019\u201d)\]]*\s+|\n+")
_LONG_NUMBER: Final = re.compile(r"\d{16,}")
"""Read digit by digit, as nobody has a word for it."""


class HibariEngine:
    """A voice in memory. Its calls block, so they are made in threads."""

    def __init__(self, source: ModelSource, threads: int) -> None:
        """Load the voice. Raises `ModelUnusable`."""
        voice = source.files["voice"]
        package = voice.parent.parent
        for file in HIBARI.files:
            if not has_hash(package.parent / file.name, file.sha256):
                raise ModelUnusable(f"The file {Path(file.name).name} of the model hibari-tts is not the pinned one.")
        try:
            self._voice: Any = _package(package).Hibari(model=str(voice), threads=threads)
            self._voice.phonemize("Ready.")
        except Exception as error:  # what a library raises for a file that is damaged
            raise ModelUnusable("The model hibari-tts could not be loaded.") from error

    def speak(self, text: str, speed: float, stop: threading.Event) -> Array:
        """`text` spoken, as 32-bit floats at `RATE`; the same text always sounds the same.

        Raises our errors, `Stopped` among them.
        """
        spoken, left = list[Array](), LONGEST_SECONDS * RATE
        draw = np.random.default_rng(0)
        for sounds in self.sounds(text):
            check(stop)
            spoken.append(self._voice.from_ids(self._voice.ids(sounds), speed, draw))
            left -= len(spoken[-1])
            if left < 0:
                message = f"Invalid value for input: it takes longer than {LONGEST_SECONDS // 60} minutes to speak."
                raise InvalidField(message, param="input")
        if not spoken:
            raise InvalidField("Invalid value for input: there is nothing in it that can be spoken.", param="input")
        return np.concatenate(spoken)

    def sounds(self, text: str) -> Iterator[str]:
        """What is to be heard of `text`, breath by breath. Raises `InvalidField`."""
        for piece in pieces(text):
            try:
                found = self._voice.phonemize(piece)
            except (ArithmeticError, LookupError, ValueError) as error:
                message = f"Invalid value for input: {piece[:40]!r} cannot be spoken."
                raise InvalidField(message, param="input") from error
            for sounds in found:
                yield from _cut(sounds, _SOUNDS)


def pieces(text: str) -> Iterator[str]:
    """Sentences; one that is long in parts that end with a word, and a word that is none in parts of it."""
    for sentence in _SENTENCE.split(_LONG_NUMBER.sub(lambda found: " ".join(found[0]), text)):
        words = [word[at : at + _WORD] for word in sentence.split() for at in range(0, len(word), _WORD)]
        yield from _cut(" ".join(words), _PIECE)


def _cut(text: str, most: int) -> Iterator[str]:
    while len(text) > most:
        end = text.rfind(" ", 0, most) + 1 or most
        yield text[:end]
        text = text[end:]
    if text.strip():
        yield text


def _package(folder: Path) -> Any:
    """The package in `folder`, as `hibari`, whatever else goes by that name here."""
    spec = importlib.util.spec_from_file_location(
        "hibari", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(folder.name)
    module = importlib.util.module_from_spec(spec)
    sys.modules["hibari"] = module
    spec.loader.exec_module(module)
    return module
