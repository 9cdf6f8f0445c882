"""The network of a Whisper model, in numpy: an encoder that hears a window, a decoder that says what comes next.

The arithmetic is small: an engine in native code would save little, and cost more to install than all else.
Calls block. Each looks at `stop` between layers, so a call that was cancelled holds a core no longer than that.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from forehearth.embedded.turns import check
from forehearth.embedded.whisper_weights import Array

LONGEST: Final = 448
"""Tokens that the decoder can look back on."""

Weights = Mapping[str, Array]

_EPSILON: Final = 1e-5
_ROOT_HALF: Final = np.float32(0.5**0.5)
_ERF_SCALE: Final = np.float32(0.3275911)
_ERF: Final = tuple(map(np.float32, (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)))


class Heard(msgspec.Struct, frozen=True):
    """A window, as each layer of the decoder looks at it."""

    keys: tuple[Array, ...]
    values: tuple[Array, ...]


class Network:
    """A model in memory; several threads may use it at once."""

    def __init__(self, weights: Weights) -> None:
        """Raises `KeyError` where `weights` are not those of such a model."""
        self.weights = weights
        self.heads = int(weights["encoder/num_heads"])
        self.words = len(weights["decoder/embeddings/weight"])
        self.layers = _layers(weights, "decoder")
        self._encoder_layers = _layers(weights, "encoder")

    def hear(self, bands: Array, stop: threading.Event) -> Heard:
        """What the encoder makes of a window. Raises `Stopped`."""
        weights, heads = self.weights, self.heads
        flow = _gelu(_convolve(weights, "encoder/conv1", bands, 1))
        flow = _gelu(_convolve(weights, "encoder/conv2", flow, 2)).T
        flow = flow + weights["encoder/position_encodings/encodings"]
        for layer in range(self._encoder_layers):
            check(stop)
            name = f"encoder/layer_{layer}"
            parts = _parted(weights, f"{name}/self_attention/linear_0", _norm(weights, f"{name}/self_attention", flow))
            query, key, value = (_by_heads(part, heads) for part in parts)
            flow = flow + _linear(weights, f"{name}/self_attention/linear_1", _attend(query, key, value))
            flow = flow + _feed(weights, name, flow)
        flow = _norm(weights, "encoder", flow)
        pairs = [_parted(weights, f"decoder/layer_{layer}/attention/linear_1", flow, 2) for layer in range(self.layers)]
        return Heard(
            keys=tuple(_by_heads(key, heads) for key, _ in pairs),
            values=tuple(_by_heads(value, heads) for _, value in pairs),
        )


class Telling:
    """One telling of what was heard: it remembers what was said, so each new token costs one step."""

    def __init__(self, network: Network, heard: Heard) -> None:
        self._network = network
        self._heard = heard
        empty = np.zeros((network.heads, 0, heard.keys[0].shape[-1]), np.float32)
        self._said = [(empty, empty)] * network.layers

    def say(self, tokens: Sequence[int], stop: threading.Event) -> Array:
        """Have `tokens` said; how likely each word is next, after the last of them. Raises `Stopped`."""
        weights, before = self._network.weights, self._said[0][0].shape[1]
        flow = weights["decoder/embeddings/weight"][list(tokens)]
        flow = flow + weights["decoder/position_encodings/encodings"][before : before + len(tokens)]
        ahead = np.triu(np.full((len(tokens), before + len(tokens)), -np.inf, np.float32), before + 1)
        for layer in range(self._network.layers):
            check(stop)
            flow = self._layer(layer, flow, ahead)
        likely: Array = weights["decoder/projection/weight"] @ _norm(weights, "decoder", flow[-1:])[0]
        return likely

    def _layer(self, layer: int, flow: Array, ahead: Array) -> Array:
        weights, heads, name = self._network.weights, self._network.heads, f"decoder/layer_{layer}"
        parts = _parted(weights, f"{name}/self_attention/linear_0", _norm(weights, f"{name}/self_attention", flow))
        query, key, value = (_by_heads(part, heads) for part in parts)
        keys, values = (np.concatenate(pair, axis=1) for pair in zip(self._said[layer], (key, value), strict=True))
        self._said[layer] = (keys, values)
        flow = flow + _linear(weights, f"{name}/self_attention/linear_1", _attend(query, keys, values, ahead))
        asked = _linear(weights, f"{name}/attention/linear_0", _norm(weights, f"{name}/attention", flow))
        seen = _attend(_by_heads(asked, heads), self._heard.keys[layer], self._heard.values[layer])
        flow = flow + _linear(weights, f"{name}/attention/linear_2", seen)
        return flow + _feed(weights, name, flow)


def _layers(weights: Weights, half: str) -> int:
    return sum(name.startswith(f"{half}/layer_") and name.endswith("/ffn/linear_0/weight") for name in weights)


def _convolve(weights: Weights, name: str, flow: Array, stride: int) -> Array:
    """A convolution over three steps: three products, of the step before, this one and the one after."""
    kernel, padded = weights[f"{name}/weight"], np.pad(flow, ((0, 0), (1, 1)))
    parts = [kernel[:, :, at] @ padded[:, at : at + flow.shape[1] : stride] for at in range(3)]
    convolved: Array = parts[0] + parts[1] + parts[2] + weights[f"{name}/bias"][:, None]
    return convolved


def _linear(weights: Weights, name: str, flow: Array) -> Array:
    moved: Array = flow @ weights[f"{name}/weight"].T + weights[f"{name}/bias"]
    return moved


def _parted(weights: Weights, name: str, flow: Array, parts: int = 3) -> list[Array]:
    return np.split(_linear(weights, name, flow), parts, axis=-1)


def _norm(weights: Weights, name: str, flow: Array) -> Array:
    centred = flow - flow.mean(-1, keepdims=True)
    spread = np.sqrt((centred * centred).mean(-1, keepdims=True) + np.float32(_EPSILON))
    normed: Array = centred / spread * weights[f"{name}/layer_norm/gamma"] + weights[f"{name}/layer_norm/beta"]
    return normed


def _feed(weights: Weights, name: str, flow: Array) -> Array:
    inner = _gelu(_linear(weights, f"{name}/ffn/linear_0", _norm(weights, f"{name}/ffn", flow)))
    return _linear(weights, f"{name}/ffn/linear_1", inner)


def _by_heads(flow: Array, heads: int) -> Array:
    """Steps by width, as heads by steps by the width of one."""
    return np.ascontiguousarray(flow.reshape(len(flow), heads, -1).transpose(1, 0, 2))


def _attend(query: Array, keys: Array, values: Array, ahead: Array | None = None) -> Array:
    """What each step takes of `values`. One head after the other, so no array is larger than 1,500 by 1,500."""
    scale = np.float32(query.shape[-1] ** -0.5)
    seen = np.empty((query.shape[1], len(query), query.shape[2]), np.float32)
    for head in range(len(query)):
        scores = (query[head] * scale) @ keys[head].T
        if ahead is not None:
            scores += ahead
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(-1, keepdims=True)
        seen[:, head] = scores @ values[head]
    return seen.reshape(len(seen), -1)


def _gelu(flow: Array) -> Array:
    """X times the share of a normal distribution below x; the error function by Abramowitz and Stegun 7.1.26."""
    size = np.abs(flow) * _ROOT_HALF
    near = 1 / (1 + _ERF_SCALE * size)
    tail = np.full_like(near, _ERF[0])
    for factor in _ERF[1:]:
        tail *= near
        tail += factor
    tail *= near * np.exp(-size * size) * np.float32(0.5)
    return np.where(flow >= 0, flow * (1 - tail), flow * tail)
