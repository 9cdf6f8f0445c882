"""Tells what is said in a recording: window after window, each begun where the last whole sentence ended."""

import threading
from collections.abc import Sequence

import numpy as np

from forehearth.embedded.catalogue import ModelSource
from forehearth.embedded.gguf import ModelUnusable
from forehearth.embedded.transcripts import Segment, Transcript
from forehearth.embedded.turns import check
from forehearth.embedded.whisper_decoding import TICK_SECONDS, Teller, Told, Vocabulary
from forehearth.embedded.whisper_network import Network
from forehearth.embedded.whisper_sound import RATE, WINDOW, loudness
from forehearth.embedded.whisper_weights import Array, read_weights

_LOUDEST = 32_768.0
_SILENCE = 0.001
_REMEMBERED = 0.5
"""A telling that was drawn more freely than this does not guide the next one."""


class WhisperEngine:
    """A model in memory. Its calls block, so they are made in threads."""

    def __init__(self, source: ModelSource) -> None:
        """Load the model. Raises `ModelUnusable`."""
        weights = read_weights(source.files["weights"])
        try:
            self._network = Network(weights)
            self._words = Vocabulary.load(source.files["tokenizer"], source.files["configuration"])
        except Exception as error:  # the libraries raise plain `Exception` for a file that is not there or damaged
            name = source.files["weights"].parent.name
            raise ModelUnusable(f"The files of the model {name} could not be loaded.") from error
        self._teller = Teller(self._network, self._words)

    def transcribe(self, sound: bytes, prompt: str, temperature: float, stop: threading.Event) -> Transcript:
        """What is said in `sound`, 16 bits a sample. `prompt` is taken for what was said before. Raises `Stopped`."""
        samples = np.frombuffer(sound, "<i2")
        before, segments, at = self._words.tokens(f" {prompt.strip()}") if prompt.strip() else [], list[Segment](), 0
        while at < len(samples):
            check(stop)
            window = samples[at : at + WINDOW].astype(np.float32) / _LOUDEST
            if np.abs(window).max() < _SILENCE:  # in which the model would hear a word or two all the same
                before, at = [], at + len(window)
                continue
            told = self._tell(window, before, temperature, stop)
            found, taken = cut(told, self._words, at, len(window))
            segments += found
            before = [*before, *told.tokens] if told.temperature < _REMEMBERED and not told.is_silent else []
            at += taken
        return Transcript(segments=tuple(segments), duration=len(samples) / RATE)

    def _tell(self, window: Array, before: Sequence[int], temperature: float, stop: threading.Event) -> Told:
        heard = self._network.hear(loudness(window), stop)
        return self._teller.tell(heard, before, temperature, stop)


def cut(told: Told, words: Vocabulary, at: int, length: int) -> tuple[list[Segment], int]:
    """The segments of a window of `length` samples from `at` on, and how many samples they tell of.

    Words that are not ended come in the next window.
    """
    if told.is_silent:
        return [], length
    first, tokens = words.first_time, told.tokens
    ends = [place for place in range(1, len(tokens)) if tokens[place - 1] >= first and tokens[place] >= first]
    is_ended = len(tokens) > 1 and tokens[-1] >= first > tokens[-2]
    if not ends:
        span = _time(tokens[-1] - first, length) if is_ended else length / RATE
        return _segments([(0.0, span, tokens)], told, words, at), length
    if is_ended:
        ends.append(len(tokens))
    parts = [tokens[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    spans = [(_time(part[0] - first, length), _time(part[-1] - first, length), part) for part in parts]
    taken = round(spans[-1][1] * RATE)
    return _segments(spans, told, words, at), length if is_ended or not 0 < taken <= length else taken


def _time(ticks: int, length: int) -> float:
    """Seconds from a window's begin on; what is said to be later than its end is at its end."""
    return min(ticks * TICK_SECONDS, length / RATE)


def _segments(
    spans: Sequence[tuple[float, float, Sequence[int]]], told: Told, words: Vocabulary, at: int
) -> list[Segment]:
    begin = at / RATE
    return [
        Segment(
            start=begin + start,
            end=begin + end,
            text=text,
            tokens=tuple(tokens),
            seek=at * 100 // RATE,
            temperature=told.temperature,
            sure=told.sure,
            repeats=told.repeats,
            silence=told.silence,
        )
        for start, end, tokens in spans
        if (text := words.text(tokens)).strip()
    ]
