"""The members that chat and completions share: how the next token is drawn, when to stop, how to answer."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from forehearth.core.errors import InvalidField
from forehearth.embedded.catalogue import ModelSource
from forehearth.embedded.members import Members, kind_of

MOST_CHOICES: Final = 128
MOST_STOPS: Final = 4
MOST_BIASES: Final = 1_024
SAMPLING_MEMBERS: Final = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "max_tokens",
        "n",
        "presence_penalty",
        "seed",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "top_p",
    }
)
_SEEDS: Final = 2**32 - 1
"""The engine's seeds are below this; this one itself means by chance."""
_LOOK_BACK: Final = 8_192
"""Tokens that the penalties look back on: more than any context here."""
_TAIL: Final = 0.05
"""Tokens less likely than this part of the likeliest one are never drawn: small models have a long tail of nonsense."""


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer is drawn. None leaves it to the model."""

    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    seed: int | None = None
    max_tokens: int | None = None
    """Of the answer."""
    stop: tuple[str, ...] = ()
    logit_bias: Mapping[str, float] = {}

    def engine(self, source: ModelSource, choice: int) -> dict[str, Any]:
        """The members in the engine's words, for the choice of this index."""
        told: dict[str, Any] = {
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
            "repeat_last_n": _LOOK_BACK,
            "top_k": 0,
            "min_p": _TAIL,
            "n_predict": self.max_tokens or source.answer_tokens or -1,
            "logit_bias": [[int(token), bias] for token, bias in self.logit_bias.items()],
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,
            "cache_prompt": self.seed is None,
        }
        is_silent = self.temperature is None and self.top_p is None
        temperature = source.temperature if self.temperature is None else self.temperature
        told["temperature"] = 1.0 if temperature is None else temperature
        told["top_p"] = (source.top_p or 1.0) if is_silent else (1.0 if self.top_p is None else self.top_p)
        told["stop"] = list(self.stop)
        if self.seed is not None:
            told["seed"] = (self.seed + choice) % _SEEDS
        return told


def read_sampling(members: Members, *, default_max_tokens: int | None = None) -> Sampling:
    """The shared members of a request. Raises `InvalidField`."""
    max_tokens = members.whole("max_tokens", 1, 2**31 - 1)
    return Sampling(
        temperature=members.number("temperature", 0, 2),
        top_p=members.number("top_p", 0, 1),
        frequency_penalty=members.number("frequency_penalty", -2, 2) or 0.0,
        presence_penalty=members.number("presence_penalty", -2, 2) or 0.0,
        seed=members.whole("seed", -(2**63), 2**63 - 1),
        max_tokens=default_max_tokens if max_tokens is None else max_tokens,
        stop=_stop(members),
        logit_bias=_biases(members),
    )


def read_choices(members: Members) -> int:
    """How many answers are asked for."""
    return members.whole("n", 1, MOST_CHOICES) or 1


class Streaming(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the answer is streamed, and whether its usage comes last."""

    wanted: bool = False
    include_usage: bool = False


def read_streaming(members: Members) -> Streaming:
    """`stream` and `stream_options`."""
    wanted = bool(members.flag("stream"))
    options = members.object("stream_options")
    if options is None:
        return Streaming(wanted=wanted)
    if not wanted:
        message = "stream_options is only allowed when stream is true: set stream, or leave stream_options out."
        raise InvalidField(message, param="stream_options")
    options.refuse_unknown({"include_usage", "include_obfuscation"})
    options.flag("include_obfuscation")
    return Streaming(wanted=True, include_usage=bool(options.flag("include_usage")))


def _stop(members: Members) -> tuple[str, ...]:
    given = members.get("stop")
    texts = [given] if isinstance(given, str) else members.items("stop") or []
    for at, text in enumerate(texts):
        if not isinstance(text, str):
            path = f"stop[{at}]"
            raise InvalidField(f"Invalid type for {path}: expected a string, but got {kind_of(text)}.", param=path)
    if len(texts) > MOST_STOPS:
        raise members.wrong("stop", f"may have at most {MOST_STOPS} entries")
    return tuple(text for text in texts if text)


def _biases(members: Members) -> Mapping[str, float]:
    biases = members.object("logit_bias")
    if biases is None:
        return {}
    given: dict[str, Any] = members.get("logit_bias")
    if len(given) > MOST_BIASES:
        raise members.wrong("logit_bias", f"may have at most {MOST_BIASES} entries")
    for token in given:
        if not (token.isascii() and token.isdigit()) or len(token) > len(str(_SEEDS)):
            raise biases.wrong(token, "must be named by the number of a token of this model")
    return {token: biases.required(token, biases.number(token, -100, 100)) for token in given}
