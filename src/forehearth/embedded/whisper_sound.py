"""What a Whisper model hears: thirty seconds of sound as the loudness of 80 bands, a hundred times a second."""

import functools
from typing import Final

import numpy as np

from forehearth.embedded.whisper_weights import Array

RATE: Final = 16_000
"""Samples a second."""
WINDOW_SECONDS: Final = 30
WINDOW: Final = RATE * WINDOW_SECONDS
BANDS: Final = 80

_WIDTH: Final = 400
_HOP: Final = 160
_STEP: Final = 200.0 / 3
_KNEE_HERTZ: Final = 1_000.0
_KNEE: Final = _KNEE_HERTZ / _STEP
_LOG_STEP: Final = np.log(6.4) / 27.0
_QUIETEST: Final = 1e-10
_RANGE: Final = 8.0


def loudness(sound: Array) -> Array:
    """The bands of up to thirty seconds of sound, an array of 80 by 3,000; what is missing is silence."""
    window = np.zeros(WINDOW, np.float32)
    window[: len(sound)] = sound[:WINDOW]
    padded = np.pad(window, _WIDTH // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WIDTH)[::_HOP][:-1]
    power = np.abs(np.fft.rfft(frames * _hann(), axis=1)) ** 2
    bands = np.log10(np.maximum(_filters() @ power.T, _QUIETEST))
    bands = np.maximum(bands, bands.max() - _RANGE)
    scaled: Array = ((bands + 4.0) / 4.0).astype(np.float32)
    return scaled


@functools.cache
def _hann() -> Array:
    wave: Array = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WIDTH) / _WIDTH)).astype(np.float32)
    return wave


@functools.cache
def _filters() -> Array:
    """Triangles that are evenly spread on the mel scale (Slaney's), each of the same area."""
    hertz = np.linspace(0, RATE / 2, _WIDTH // 2 + 1)
    corners = _hertz(np.linspace(0.0, _mel(RATE / 2), BANDS + 2))
    rising = (hertz[None, :] - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - hertz[None, :]) / (corners[2:] - corners[1:-1])[:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    filters: Array = (triangles * (2.0 / (corners[2:] - corners[:-2]))[:, None]).astype(np.float32)
    return filters


def _mel(hertz: float) -> float:
    return float(_KNEE + np.log(hertz / _KNEE_HERTZ) / _LOG_STEP)


def _hertz(mels: Array) -> Array:
    return np.where(mels < _KNEE, _STEP * mels, _KNEE_HERTZ * np.exp(_LOG_STEP * (mels - _KNEE)))
