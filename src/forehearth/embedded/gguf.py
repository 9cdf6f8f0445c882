"""Reads the head of a GGUF file: what a model is, how long its context is, which of its tokens are not text."""

import mmap
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from forehearth.core.errors import Misconfigured

_MAGIC: Final = b"GGUF"
_VERSIONS: Final = (2, 3)
_MOST_ENTRIES: Final = 100_000
_STRING: Final = 8
_ARRAY: Final = 9
_SCALARS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_KINDS_OF_TOKENS: Final = "tokenizer.ggml.token_type"
_NOT_TEXT: Final = frozenset({2, 3, 5})
"""Kinds of tokens that the engine prints as nothing: unknown, control, unused."""


class ModelUnusable(Misconfigured):
    """A model's file is not there, or not what it should be."""

    code = "model_unusable"


class GgufHead(msgspec.Struct, frozen=True, kw_only=True):
    """What the head of a model's file tells."""

    architecture: str
    context_tokens: int | None
    """How long a context the model was made for."""
    silent_tokens: tuple[int, ...]
    """Tokens that a grammar takes for their text although they are printed as nothing; those that end an answer are
    not among them."""


def read_head(path: Path) -> GgufHead:
    """Read the head of the file at `path`, without its weights. Raises `ModelUnusable`."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            entries = _Reader(content).entries()
    except (OSError, ValueError, struct.error) as error:
        reason = getattr(error, "strerror", None) or "it is not a whole GGUF file"
        raise ModelUnusable(f"The model file {path.name} cannot be used: {reason}.") from error
    architecture = str(entries.get("general.architecture", ""))
    context = entries.get(f"{architecture}.context_length")
    ends = {value for name, value in entries.items() if name.endswith(("eos_token_id", "eot_token_id", "eom_token_id"))}
    kinds = entries.get(_KINDS_OF_TOKENS, ())
    return GgufHead(
        architecture=architecture,
        context_tokens=context if isinstance(context, int) else None,
        silent_tokens=tuple(at for at, kind in enumerate(kinds) if kind in _NOT_TEXT and at not in ends),
    )


class _Reader:
    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self._at = 0

    def entries(self) -> dict[str, Any]:
        """Every entry but the long lists, of which only the tokens' kinds are kept."""
        if self._content[:4] != _MAGIC:
            raise ValueError("no GGUF")
        self._at = 4
        version, _, count = self._scalar("I"), self._scalar("Q"), self._scalar("Q")
        if version not in _VERSIONS or count > _MOST_ENTRIES:
            raise ValueError("unknown version")
        found = {}
        for _ in range(count):
            name = self._string()
            found[name] = self._value(self._scalar("I"), keep=name == _KINDS_OF_TOKENS)
        return found

    def _scalar(self, code: str) -> Any:
        value = struct.unpack_from(f"<{code}", self._content, self._at)[0]
        self._at += struct.calcsize(f"<{code}")
        return value

    def _string(self) -> str:
        start = self._skip_string()
        return self._content[start : self._at].decode(errors="replace")

    def _skip_string(self) -> int:
        """Move past a string; return where its bytes began."""
        size = self._scalar("Q")
        start = self._at
        self._at += size
        if self._at > len(self._content):
            raise ValueError("cut short")
        return start

    def _value(self, kind: int, *, keep: bool) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            return self._array(keep=keep)
        return self._scalar(_SCALARS[kind]) if kind in _SCALARS else self._refuse(kind)

    def _array(self, *, keep: bool) -> Any:
        kind, count = self._scalar("I"), self._scalar("Q")
        if kind in _SCALARS:
            code = f"<{count}{_SCALARS[kind]}"
            start, size = self._at, struct.calcsize(code)
            self._at += size
            return struct.unpack_from(code, self._content, start) if keep else ()
        step: Callable[[], object] = self._skip_string if kind == _STRING else lambda: self._refuse(kind)
        for _ in range(count):
            step()
        return ()

    def _refuse(self, kind: int) -> Any:
        raise ValueError(f"unknown kind {kind}")
