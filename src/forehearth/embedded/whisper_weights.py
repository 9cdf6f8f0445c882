"""Reads the weights of a Whisper model from one file, in the format that CTranslate2's converter writes.

The file is a list of named arrays and a list of second names; nothing in it is run.
"""

import struct
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from forehearth.embedded.gguf import ModelUnusable

Array = npt.NDArray[Any]

VERSION: Final = 6
SPECIFICATION: Final = "WhisperSpec"

_TYPES: Final = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_MOST_ARRAYS: Final = 4_096
_LARGEST: Final = 2**31


def read_weights(path: Path) -> dict[str, Array]:
    """Every array by its name; numbers of 16 bits are widened. Raises `ModelUnusable`."""
    try:
        with path.open("rb") as file:
            return _read(file)
    except (OSError, struct.error, ValueError, KeyError) as error:
        raise ModelUnusable(
            f"The model file {path.name} could not be read as the weights of a Whisper model."
        ) from error


def _read(file: BinaryIO) -> dict[str, Array]:
    version, specification, _ = _number(file, "I"), _name(file), _number(file, "I")
    if version != VERSION or specification != SPECIFICATION:
        raise ValueError(f"version {version} of {specification}")
    arrays: dict[str, Array] = {}
    for _ in range(min(_number(file, "I"), _MOST_ARRAYS)):
        name = _name(file)
        shape = tuple(_number(file, "I") for _ in range(_number(file, "B")))
        kind, size = _TYPES[_number(file, "B")], _number(file, "I")
        array = np.frombuffer(_bytes(file, size), kind).reshape(shape)
        arrays[name] = array.astype(np.float32) if kind is np.float16 else array
    for _ in range(min(_number(file, "I"), _MOST_ARRAYS)):
        alias, name = _name(file), _name(file)
        arrays[alias] = arrays[name]
    return arrays


def _number(file: BinaryIO, form: str) -> int:
    (value,) = struct.unpack(f"<{form}", file.read(struct.calcsize(f"<{form}")))
    return int(value)


def _name(file: BinaryIO) -> str:
    return _bytes(file, _number(file, "H")).rstrip(b"\0").decode()


def _bytes(file: BinaryIO, size: int) -> bytes:
    if size > _LARGEST or len(content := file.read(size)) != size:
        raise ValueError("the file is cut short")
    return content
