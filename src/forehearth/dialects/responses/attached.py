"""Images and files of a question: where they are named, what their bytes are, and how a model is shown them.

A file's text is shown as text, and a PDF as a file, to hosts that take such. What is neither is refused: nothing here
would read it as its writer meant it.
"""

import base64
import binascii
import codecs
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from forehearth.core.errors import InvalidField
from forehearth.dialects.responses.items import Resource

IMAGES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
"""How the kinds of images begin that models are shown; WebP, too, which is told by two places."""
_PDF: Final = b"%PDF-"
_PDF_TYPE: Final = "application/pdf"
_PLAIN: Final = "application/octet-stream"
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LONGEST_NAME: Final = 256
Change = Callable[[Resource, str], Resource]
"""A part, and the path at which it stands, for what is to stand in its place."""


def parts(items: tuple[Resource, ...], at: str = "input") -> Iterator[tuple[Resource, str]]:
    """The images and files of these items, each with its path."""
    for index, item in enumerate(items):
        if item.get("role") == "assistant":  # what a host says names nothing of here
            continue
        for member in ("content", "output"):
            content = item.get(member)
            for place, part in enumerate(content if isinstance(content, list) else ()):
                if is_attached(part):
                    yield part, f"{at}[{index}].{member}[{place}]"


def is_attached(part: object) -> bool:
    """Whether a part is an image or a file."""
    return isinstance(part, dict) and part.get("type") in ("input_image", "input_file")


def changed(item: Resource, instead: dict[int, Resource]) -> Resource:
    """The item with other parts in the place of some, by their `id()`."""
    shown = item
    for member in ("content", "output"):
        content = item.get(member)
        if isinstance(content, list) and any(id(part) in instead for part in content):
            shown = shown | {member: [instead.get(id(part), part) for part in content]}
    return shown


def image_url(data: bytes, at: str) -> str:
    """The bytes of an image as a data URL. Raises `InvalidField` for what is none."""
    kind = next((kind for begins, kind in IMAGES if data.startswith(begins)), None)
    if kind is None and data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        kind = "image/webp"
    if kind is None:
        raise InvalidField("The file is no image that a model is shown: send PNG, JPEG, GIF or WebP.", param=at)
    return data_url(data, kind)


def data_url(data: bytes, kind: str = "") -> str:
    """The bytes of a file as a data URL; of what `kind`, is seen by them unless it is given."""
    if not kind:
        kind = _PDF_TYPE if data.startswith(_PDF) else _PLAIN if _text(data) is None else "text/plain"
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def read_data(given: str, at: str) -> bytes:
    """The bytes in `file_data`: a data URL, or base64 alone. Raises `InvalidField`."""
    encoded = given
    if given[:5].lower() == "data:":
        head, comma, encoded = given.partition(",")
        if not comma:
            raise InvalidField(f"Invalid '{at}': a data URL has a comma before its data.", param=at)
        if not head.lower().endswith(";base64"):
            return unquote_to_bytes(encoded)
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidField(f"Invalid '{at}': expected a data URL, or base64.", param=at) from None


def shown(data: bytes, filename: str, at: str) -> dict[str, Any]:
    """The part that a model is shown of a file. Raises `InvalidField` for what is neither text nor PDF."""
    name = filename[:_LONGEST_NAME] or "file"
    if data.startswith(_PDF):
        return {"type": "input_file", "filename": name, "file_data": data_url(data, _PDF_TYPE)}
    text = _text(data)
    if text is None:
        message = f"The file '{name}' is neither text nor PDF, and cannot be shown to a model: send its text."
        raise InvalidField(message, param=at)
    quoted = name.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return {"type": "input_text", "text": f'<file name="{quoted}">\n{text}\n</file>'}


def _text(data: bytes) -> str | None:
    """The text that the bytes are; None for what is none."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
