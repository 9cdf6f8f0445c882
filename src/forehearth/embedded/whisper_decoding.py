"""Has a Whisper model tell a window in tokens: words between times, by the rules that the model was trained under."""

import threading
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from forehearth.embedded.whisper_network import LONGEST, Heard, Network, Telling
from forehearth.embedded.whisper_weights import Array

TICK_SECONDS: Final = 0.02
"""What one token of time stands for."""

COOLEST: Final = (0.0, 0.4, 0.8)
"""How freely words are drawn: the first way that gives a telling which seems right."""

_MOST_TOLD: Final = LONGEST // 2
_LATEST_START: Final = 50
"""Ticks after which no window's first words may begin."""
_MOST_REPEATED: Final = 2.4
"""A text that is compressed better than this goes round in circles."""
_LEAST_SURE: Final = -1.0
_SILENT: Final = 0.6


class Vocabulary:
    """The tokens of an English-only model, and the texts they stand for."""

    def __init__(self, tokenizer: Any, suppressed: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self.suppressed = suppressed
        """What is never said: signs of music, brackets of remarks."""
        self.end: int = tokenizer.token_to_id("<|endoftext|>")
        self.start: int = tokenizer.token_to_id("<|startoftranscript|>")
        self.before: int = tokenizer.token_to_id("<|startofprev|>")
        self.nothing: int = tokenizer.token_to_id("<|nocaptions|>")
        self.first_time: int = tokenizer.token_to_id("<|notimestamps|>") + 1

    @classmethod
    def load(cls, tokenizer: Path, configuration: Path) -> "Vocabulary":
        """From a model's files. Raises what the libraries raise for one that is damaged."""
        import tokenizers  # noqa: PLC0415 - only a process that runs a model pays for it

        told = msgspec.json.decode(configuration.read_bytes(), type=_Configuration)
        return cls(tokenizers.Tokenizer.from_file(str(tokenizer)), told.suppress_ids)

    def text(self, tokens: Sequence[int]) -> str:
        """What `tokens` say; times say nothing."""
        said: str = self._tokenizer.decode([token for token in tokens if token < self.end])
        return said

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


class _Configuration(msgspec.Struct):
    suppress_ids: list[int] = []


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A window in tokens, and how good a telling it seems."""

    tokens: tuple[int, ...]
    temperature: float
    sure: float
    """The mean logarithm of the tokens' likelihood."""
    repeats: float
    """How well the text can be compressed."""
    silence: float
    """How likely it is that nobody spoke."""

    @property
    def is_silent(self) -> bool:
        """Whether it is better left out: nobody seems to have spoken, and the words are guesses."""
        return self.silence > _SILENT and self.sure < _LEAST_SURE

    @property
    def seems_right(self) -> bool:
        """Whether it need not be told again more freely."""
        return self.is_silent or (self.repeats <= _MOST_REPEATED and self.sure >= _LEAST_SURE)


class Teller:
    """Tells windows by one model."""

    def __init__(self, network: Network, vocabulary: Vocabulary) -> None:
        self._network = network
        self._vocabulary = vocabulary
        self._never = np.zeros(network.words, np.float32)
        self._never[list(vocabulary.suppressed)] = -np.inf
        self._never[vocabulary.end + 1 : vocabulary.first_time] = -np.inf

    def tell(self, heard: Heard, before: Sequence[int], temperature: float, stop: threading.Event) -> Told:
        """The first telling that seems right, or the last one; `before` is what was said before. Raises `Stopped`."""
        steps = COOLEST if temperature == 0 else (temperature,)
        told = self._once(heard, before, steps[0], stop)
        for step in steps[1:]:
            if told.seems_right:
                break
            told = self._once(heard, before, step, stop)
        return told

    def _once(self, heard: Heard, before: Sequence[int], temperature: float, stop: threading.Event) -> Told:
        words, telling = self._vocabulary, Telling(self._network, heard)
        pick, tokens, total = _picker(temperature), list[int](), 0.0
        prompt = [words.before, *before[-(_MOST_TOLD - 1) :], words.start] if before else [words.start]
        likely = telling.say(prompt, stop)
        silence = float(np.exp(_logarithms(likely)[words.nothing]))
        while len(tokens) < _MOST_TOLD:
            allowed = _logarithms(self._allowed(likely, tokens))
            token = pick(allowed)
            total += float(allowed[token])
            if token == words.end:
                break
            tokens.append(token)
            if len(tokens) < _MOST_TOLD:  # one more is not looked at, nor is there a place for it
                likely = telling.say([token], stop)
        text = words.text(tokens).encode()
        return Told(
            tokens=tuple(tokens),
            temperature=temperature,
            sure=total / (len(tokens) + 1),
            repeats=len(text) / len(zlib.compress(text)) if text else 0.0,
            silence=silence,
        )

    def _allowed(self, likely: Array, tokens: Sequence[int]) -> Array:
        """`likely`, with what may not follow `tokens` ruled out."""
        words, first = self._vocabulary, self._vocabulary.first_time
        allowed = likely + self._never
        if not tokens:
            allowed[:first] = -np.inf
            allowed[first + _LATEST_START + 1 :] = -np.inf
            return allowed
        times = [token for token in tokens if token >= first]
        is_time = tokens[-1] >= first
        is_begin = is_time and (len(tokens) == 1 or tokens[-2] >= first)
        if is_begin:
            allowed[first:] = -np.inf
        elif is_time:
            allowed[: words.end] = -np.inf
        if times:
            allowed[first : times[-1] + (0 if is_time and not is_begin else 1)] = -np.inf
        spread = _logarithms(allowed)
        if np.logaddexp.reduce(spread[first:]) > spread[:first].max():
            allowed[:first] = -np.inf
        return allowed


def _logarithms(likely: Array) -> Array:
    shifted = likely - likely.max()
    logarithms: Array = shifted - np.log(np.exp(shifted).sum())
    return logarithms


def _picker(temperature: float) -> Callable[[Array], int]:
    """The likeliest token, or one drawn; the same sound is always drawn alike."""
    if temperature == 0:
        return lambda spread: int(spread.argmax())
    draw = np.random.default_rng(0)

    def drawn(spread: Array) -> int:
        shares = np.exp((spread - spread.max()) / temperature)
        return int(draw.choice(len(shares), p=shares / shares.sum()))

    return drawn
