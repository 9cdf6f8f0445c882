"""Resampling keeps what can be heard, takes away what cannot, and does not mind how the sound is cut."""

import numpy as np
import pytest

from forehearth.embedded.resampling import resampled

SECONDS = 2
RATES = [4_000, 8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000]


def tone(hertz: float, rate: int) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(SECONDS * rate) / rate).astype(np.float32)


def at_16k(blocks: list[np.ndarray], rate: int) -> np.ndarray:
    return np.concatenate(list(resampled(blocks, rate, 16_000)))


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_stays_the_same_tone(rate: int) -> None:
    made, wanted = at_16k([tone(700, rate)], rate), tone(700, 16_000)
    assert abs(len(made) - len(wanted)) <= 1
    middle = slice(1_000, min(len(made), len(wanted)) - 1_000)
    assert np.abs(made[middle] - wanted[middle]).max() < 0.02


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_what_is_above_the_new_rates_half_is_gone(rate: int) -> None:
    assert np.abs(at_16k([tone(11_000, rate)], rate)[1_000:-1_000]).max() < 0.01


@pytest.mark.parametrize("size", [1, 7, 160, 441, 50_000])
def test_how_it_is_cut_makes_no_difference(size: int) -> None:
    whole = tone(440, 44_100)[: 10_000 if size < 10 else None]
    cut = [whole[at : at + size] for at in range(0, len(whole), size)]
    assert np.allclose(at_16k(cut, 44_100), at_16k([whole], 44_100), atol=1e-6)


@pytest.mark.parametrize("rate", [4_001, 44_101, 383_999])
def test_odd_rates_are_nearly_kept(rate: int) -> None:
    made = at_16k([tone(700, rate)], rate)
    assert abs(len(made) - SECONDS * 16_000) < 20
    spectrum = np.abs(np.fft.rfft(made, SECONDS * 16_000))
    assert abs(spectrum.argmax() / SECONDS - 700) < 1


def test_nothing_stays_nothing() -> None:
    assert sum(map(len, resampled([], 44_100, 16_000))) == 0
