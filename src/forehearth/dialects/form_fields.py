"""What a `multipart/form-data` body of a media operation says, read while it arrives: no I/O, and no file in memory.

Texts that somebody here looks at are kept; of files it is kept where they are. Fields that nobody here knows are not
looked at: they reach the backend as they are.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from forehearth.core.errors import BodyTooLarge, InvalidField
from forehearth.dialects.multipart import LONGEST_HEADERS, Multipart, Part, boundary
from forehearth.dialects.wrong_members import missing_member

MOST_PARTS: Final = 64
LONGEST_TEXT: Final = 128 * 1024
"""Bytes of a text that is kept, of all its values together: a prompt for a picture has up to 32,000 characters."""
AROUND: Final = MOST_PARTS * (LONGEST_HEADERS + LONGEST_TEXT)
"""Bytes that a body may have besides its files."""
MODEL: Final = "model"


class FileField(msgspec.Struct, frozen=True, kw_only=True):
    """A field that is a file."""

    most_bytes: int
    many: bool = False
    needed: bool = False


class FormRules(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that an operation has, as far as they are looked at here."""

    files: Mapping[str, FileField]
    """By name; a field that may be there several times also goes by its name with `[]`."""
    texts: Mapping[str, bool]
    """By name: whether there may be several."""
    read: frozenset[str] = frozenset()
    """The texts that a model reads."""


class UploadedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a form: what it is called, and where in the body it lies."""

    field: str
    name: str
    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start


class FormFields:
    """Feed it a body's events in order; ask it when the body has ended."""

    def __init__(self, rules: FormRules) -> None:
        self._rules = rules
        self._kept: dict[str, list[bytearray]] = {}
        self._part: Part | None = None
        self._size = 0
        self.files: list[UploadedFile] = []
        self.model_at: tuple[int, int] | None = None
        """Where in the body the value of `model` is."""

    def take(self, event: Part | bytes) -> None:
        """The next event. Raises `InvalidField` or `BodyTooLarge`."""
        if isinstance(event, Part):
            self._close()
            self._begin(event)
        else:
            self._size += len(event)
            self._add(event)

    def end(self) -> None:
        """There are no more. Raises `InvalidField` where something is missing."""
        self._close()
        there = {each.field for each in self.files}
        for name, rule in self._rules.files.items():
            if rule.needed and name not in there:
                raise missing_member(name)

    def texts(self, name: str) -> tuple[str, ...]:
        """The values of a field, in their order. Raises `InvalidField` where one is not UTF-8."""
        try:
            return tuple(each.decode() for each in self._kept.get(name, ()))
        except UnicodeDecodeError:
            raise InvalidField(f"'{name}' is not UTF-8.", param=name) from None

    def text(self, name: str) -> str | None:
        """The value of a field; None where it is not there."""
        found = self.texts(name)
        return found[-1] if found else None

    @property
    def read(self) -> int:
        """Bytes of the texts that a model reads."""
        return sum(len(each) for name in self._rules.read for each in self._kept.get(name, ()))

    def _named(self, part: Part) -> str:
        """Which field it is: `name[]` is `name` where there may be several, and else a field that nobody here knows."""
        bare = part.name.removesuffix("[]")
        file = self._rules.files.get(bare)
        many = self._rules.texts.get(bare, False) if file is None else file.many
        return bare if many else part.name

    def _begin(self, part: Part) -> None:
        rules, name = self._rules, self._named(part)
        file = rules.files.get(name)
        if file is not None:
            if part.filename is None or not part.filename:
                raise InvalidField(f"'{name}' has no filename: send it as curl -F {name}=@NAME does.", param=name)
            if not file.many and any(each.field == name for each in self.files):
                raise _twice(name)
        elif name in rules.texts:
            values = self._kept.setdefault(name, [])
            if values and not rules.texts[name]:
                raise _twice(name)
            values.append(bytearray())
        self._part, self._size = part, 0

    def _add(self, piece: bytes) -> None:
        part = self._part
        if part is None:
            return
        name = self._named(part)
        file = self._rules.files.get(name)
        if file is not None and self._size > file.most_bytes:
            raise BodyTooLarge(f"'{name}' is longer than {file.most_bytes} bytes.", param=name)
        if file is None and name in self._rules.texts:
            values = self._kept[name]
            values[-1] += piece
            if sum(map(len, values)) > LONGEST_TEXT:
                raise InvalidField(f"'{name}' is longer than {LONGEST_TEXT} bytes.", param=name)

    def _close(self) -> None:
        """The part before is over."""
        part, self._part = self._part, None
        if part is None:
            return
        name, end = self._named(part), part.at + self._size
        if name in self._rules.files:
            file = UploadedFile(field=name, name=part.filename or "", start=part.at, end=end)
            self.files.append(file)
        elif name == MODEL:
            self.model_at = (part.at, end)


def read_whole(content_type: bytes, body: bytes, rules: FormRules) -> FormFields:
    """The same of a body that is here. Raises the `Refused` that fits."""
    parser, fields = Multipart(boundary(content_type), most_parts=MOST_PARTS), FormFields(rules)
    for event in parser.feed(body):
        fields.take(event)
    parser.end()
    fields.end()
    return fields


def _twice(name: str) -> InvalidField:
    return InvalidField(f"'{name}' is there twice.", param=name)
