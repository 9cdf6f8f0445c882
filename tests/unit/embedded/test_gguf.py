"""The head of a model's file, read without the engine."""

import random
import struct
from pathlib import Path
from typing import Any

import pytest

from forehearth.embedded.gguf import ModelUnusable, read_head

STRING, ARRAY, UINT32, INT32, FLOAT = 8, 9, 4, 5, 6


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def array(kind: int, items: list[Any]) -> bytes:
    packed = b"".join(
        text(item) if kind == STRING else struct.pack("<f" if kind == FLOAT else "<i", item) for item in items
    )
    return struct.pack("<IQ", kind, len(items)) + packed


def entry(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def gguf(*entries: bytes, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(entries)) + b"".join(entries)


WHOLE = gguf(
    entry("general.architecture", STRING, text("tiny")),
    entry("tokenizer.ggml.tokens", ARRAY, array(STRING, ["<unk>", "a", "<s>", "</s>", "<pad>", "<end>"])),
    entry("tokenizer.ggml.scores", ARRAY, array(FLOAT, [0.0, 1.0])),
    entry("tokenizer.ggml.token_type", ARRAY, array(INT32, [2, 1, 3, 3, 5, 3])),
    entry("tokenizer.ggml.eos_token_id", UINT32, struct.pack("<I", 3)),
    entry("tokenizer.ggml.eot_token_id", UINT32, struct.pack("<I", 5)),
    entry("tiny.context_length", UINT32, struct.pack("<I", 2_048)),
)


def test_it_tells_what_the_host_needs(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(WHOLE + b"weights")
    head = read_head(tmp_path / "m.gguf")
    assert head.architecture == "tiny"
    assert head.context_tokens == 2_048
    assert head.silent_tokens == (0, 2, 4)


def test_a_head_with_nothing_to_tell_is_whole_too(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf(version=2))
    head = read_head(tmp_path / "m.gguf")
    assert (head.architecture, head.context_tokens, head.silent_tokens) == ("", None, ())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        b"no model at all",
        WHOLE[:200],
        gguf(version=9),
        gguf(entry("a", 77, b"")),
        gguf(entry("a", ARRAY, struct.pack("<IQ", 77, 1) + b"x")),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.gguf").write_bytes(content)
    with pytest.raises(ModelUnusable, match=r"m\.gguf cannot be used: it is not a whole GGUF file"):
        read_head(tmp_path / "m.gguf")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="No such file"):
        read_head(tmp_path / "m.gguf")


def test_damage_never_does_worse_than_be_refused(tmp_path: Path) -> None:
    chance = random.Random(3)
    path, read = tmp_path / "m.gguf", 0
    for _ in range(2_000):
        damaged = bytearray(WHOLE)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.choice((0, 1, 8, 9, 255, chance.randrange(256)))
        path.write_bytes(damaged)
        try:
            read_head(path)
        except ModelUnusable:
            continue
        read += 1
    assert 0 < read < 2_000
