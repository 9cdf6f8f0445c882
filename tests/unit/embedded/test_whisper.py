"""The rules by which a Whisper model tells, on a network that is too small to say anything of sense."""

import struct
import threading
from pathlib import Path

import numpy as np
import pytest

from forehearth.embedded.gguf import ModelUnusable
from forehearth.embedded.transcription_engine import cut
from forehearth.embedded.turns import Stopped
from forehearth.embedded.whisper_decoding import Teller, Told
from forehearth.embedded.whisper_network import LONGEST, Network, Telling
from forehearth.embedded.whisper_sound import BANDS, RATE, WINDOW, loudness
from forehearth.embedded.whisper_weights import read_weights

WIDTH, WORDS, FIRST = 8, 40, 20
END = 10


class Words:
    """Tokens 0 to 9 are words, 10 ends, 11 to 18 are marks, 19 says that there are no times, the rest are times."""

    suppressed = (3,)
    end, start, before, nothing, first_time = END, 11, 12, 13, FIRST

    def text(self, tokens: tuple[int, ...]) -> str:
        return "".join(f" w{token}" for token in tokens if token < END)

    def tokens(self, text: str) -> list[int]:
        return [1] * len(text.split())


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    made: dict[str, np.ndarray] = {}

    def linear(name: str, out: int, into: int) -> None:
        made[f"{name}/weight"] = draw.standard_normal((out, into)).astype(np.float32) * 0.3
        made[f"{name}/bias"] = draw.standard_normal(out).astype(np.float32) * 0.1

    def norm(name: str) -> None:
        made[f"{name}/layer_norm/gamma"] = np.ones(WIDTH, np.float32)
        made[f"{name}/layer_norm/beta"] = np.zeros(WIDTH, np.float32)

    for half in ("encoder", "decoder"):
        name = f"{half}/layer_0"
        linear(f"{name}/self_attention/linear_0", 3 * WIDTH, WIDTH)
        linear(f"{name}/self_attention/linear_1", WIDTH, WIDTH)
        linear(f"{name}/ffn/linear_0", 2 * WIDTH, WIDTH)
        linear(f"{name}/ffn/linear_1", WIDTH, 2 * WIDTH)
        for part in (half, f"{name}/self_attention", f"{name}/ffn", f"{name}/attention"):
            norm(part)
    linear("decoder/layer_0/attention/linear_0", WIDTH, WIDTH)
    linear("decoder/layer_0/attention/linear_1", 2 * WIDTH, WIDTH)
    linear("decoder/layer_0/attention/linear_2", WIDTH, WIDTH)
    for name, into in (("encoder/conv1", BANDS), ("encoder/conv2", WIDTH)):
        made[f"{name}/weight"] = draw.standard_normal((WIDTH, into, 3)).astype(np.float32) * 0.1
        made[f"{name}/bias"] = np.zeros(WIDTH, np.float32)
    made["encoder/position_encodings/encodings"] = draw.standard_normal((1500, WIDTH)).astype(np.float32)
    made["decoder/position_encodings/encodings"] = draw.standard_normal((448, WIDTH)).astype(np.float32)
    made["decoder/embeddings/weight"] = draw.standard_normal((WORDS, WIDTH)).astype(np.float32)
    made["decoder/projection/weight"] = made["decoder/embeddings/weight"]
    made["encoder/num_heads"] = np.array(2, np.int16)
    return made


def packed(arrays: dict[str, np.ndarray], aliases: dict[str, str], version: int = 6) -> bytes:
    def name(text: str) -> bytes:
        return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"

    kinds = {"float32": 0, "int16": 2, "float16": 4}
    out = struct.pack("<I", version) + name("WhisperSpec") + struct.pack("<II", 3, len(arrays))
    for key, array in arrays.items():
        out += name(key) + struct.pack("<B", array.ndim) + struct.pack(f"<{array.ndim}I", *array.shape)
        out += struct.pack("<BI", kinds[array.dtype.name], array.nbytes) + array.tobytes()
    return out + struct.pack("<I", len(aliases)) + b"".join(name(a) + name(b) for a, b in aliases.items())


def test_weights_are_read(tmp_path: Path) -> None:
    half = np.arange(6, dtype=np.float16).reshape(2, 3)
    file = tmp_path / "model.bin"
    file.write_bytes(packed({"a/weight": half, "heads": np.array(6, np.int16)}, {"b/weight": "a/weight"}))
    found = read_weights(file)
    assert found["a/weight"].dtype == np.float32
    assert (found["b/weight"] == half).all()
    assert int(found["heads"]) == 6


@pytest.mark.parametrize("content", [b"", b"GGUF" * 20, packed({}, {}, version=5), packed({}, {"a": "b"})])
def test_a_file_that_is_none_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(ModelUnusable, match=r"model\.bin could not be read"):
        read_weights(tmp_path / "model.bin")


def test_a_file_that_is_cut_short_is_said(tmp_path: Path) -> None:
    whole = packed({"a/weight": np.ones(4, np.float16)}, {"b/weight": "a/weight"})
    for size in range(len(whole)):
        (tmp_path / "model.bin").write_bytes(whole[:size])
        with pytest.raises(ModelUnusable):
            read_weights(tmp_path / "model.bin")


def test_a_tone_is_loudest_in_its_band() -> None:
    silence = loudness(np.zeros(100, np.float32))
    assert silence.shape == (BANDS, 3_000)
    assert np.ptp(silence) == 0
    loudest = [
        int(loudness(np.sin(2 * np.pi * hertz * np.arange(WINDOW) / RATE).astype(np.float32)).mean(1).argmax())
        for hertz in (200, 500, 1_000, 2_000, 4_000, 7_000)
    ]
    assert loudest == sorted(set(loudest))


def test_one_step_after_another_is_as_all_at_once() -> None:
    network, stop = Network(weights()), threading.Event()
    heard = network.hear(np.ones((BANDS, 3_000), np.float32), stop)
    tokens = [11, 20, 1, 2, 4]
    stepwise = Telling(network, heard)
    for token in tokens:
        last = stepwise.say([token], stop)
    assert np.allclose(last, Telling(network, heard).say(tokens, stop), atol=1e-4)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_whatever_is_told_keeps_the_rules(seed: int, temperature: float) -> None:
    network, stop = Network(weights(seed)), threading.Event()
    heard = network.hear(np.full((BANDS, 3_000), seed / 3, np.float32), stop)
    told = Teller(network, Words()).tell(heard, (1, 2), temperature, stop)
    times = [token for token in told.tokens if token >= FIRST]
    assert told.tokens[0] >= FIRST
    assert times == sorted(times)
    assert all(token < END or token >= FIRST for token in told.tokens)
    assert not {3, 19} & set(told.tokens)
    begins = [at for at, token in enumerate(told.tokens) if token >= FIRST]
    assert all(not (a + 1 == b and b + 1 == c) for a, b, c in zip(begins, begins[1:], begins[2:], strict=False))
    again = Teller(network, Words()).tell(heard, (1, 2), temperature, stop)
    assert again == told


def test_a_telling_without_an_end_after_much_that_was_said_is_cut() -> None:
    class Endless(Words):
        suppressed = (3, END)

    network, stop = Network(weights(1)), threading.Event()
    heard = network.hear(np.zeros((BANDS, 3_000), np.float32), stop)
    told = Teller(network, Endless()).tell(heard, (1,) * 300, 1.0, stop)
    assert len(told.tokens) == LONGEST // 2


def test_it_stops_when_it_is_told_to() -> None:
    network, stop = Network(weights()), threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        network.hear(np.ones((BANDS, 3_000), np.float32), stop)


def told(*tokens: int, sure: float = -0.1, silence: float = 0.0) -> Told:
    return Told(tokens=tokens, temperature=0.0, sure=sure, repeats=1.0, silence=silence)


@pytest.mark.parametrize(
    ("tokens", "spans", "taken"),
    [
        # A sentence that is whole, and one that goes on in the next window: that begins with it.
        ((20, 1, 22, 22, 2), [(0.0, 0.04, " w1")], 0.04),
        ((20, 1, 22, 22, 2, 25), [(0.0, 0.04, " w1"), (0.04, 0.1, " w2")], 1.0),
        ((20, 1, 2), [(0.0, 1.0, " w1 w2")], 1.0),
        ((21, 1, 25), [(0.0, 0.1, " w1")], 1.0),
        ((20,), [], 1.0),
        ((), [], 1.0),
        # Times that do not move on would be told for ever.
        ((20, 1, 20, 20), [(0.0, 0.0, " w1")], 1.0),
    ],
)
def test_a_window_is_cut_where_sentences_end(
    tokens: tuple[int, ...], spans: list[tuple[float, float, str]], taken: float
) -> None:
    found, samples = cut(told(*tokens), Words(), 32_000, RATE)
    assert [(round(each.start - 2, 6), round(each.end - 2, 6), each.text) for each in found] == spans
    assert samples == round(taken * RATE)
    assert all(each.seek == 200 for each in found)


def test_what_seems_silent_is_left_out() -> None:
    assert cut(told(20, 1, 22, sure=-2.0, silence=0.9), Words(), 0, RATE) == ([], RATE)
    assert cut(told(20, 1, 22, sure=-0.2, silence=0.9), Words(), 0, RATE)[0]
