"""Files below OpenAI v1, and on the classic paths.

Source: `/files` in OpenAI's specification, and in Azure's of v1, from which the states are. A file is `processed` at
once: nothing is done to it until something uses it. Azure's document asks for `expires_after`, OpenAI's does not: it
may be left out.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from forehearth.core.errors import BodyTooLarge, InvalidField
from forehearth.core.exchange import Head, Reply, Stream
from forehearth.core.permission import Permission
from forehearth.dialects.multipart import LONGEST_HEADERS, MOST_PARTS, Multipart, Part, boundary
from forehearth.dialects.wrong_members import missing_member, unknown_member, wrong_value
from forehearth.files.records import LONGEST_LIFE, PURPOSES, SHORTEST_LIFE, File, NewFile
from forehearth.files.service import Files
from forehearth.ports.surface import Act, Entry, Upload
from forehearth.wire import lists
from forehearth.wire.envelope import as_json
from forehearth.wire.table import Row

LONGEST_FIELD: Final = 1_024
"""Bytes of a field that is no file."""
AROUND: Final = MOST_PARTS * (LONGEST_HEADERS + LONGEST_FIELD)
"""Bytes of a body that are not its file's."""
MOST_LISTED: Final = 10_000
"""Files of a page, also where the query has no `limit`. Source: OpenAI's specification."""
_MEDIA = b"multipart/form-data"
_FILE, _PURPOSE, _ANCHOR, _SECONDS = "file", "purpose", "expires_after[anchor]", "expires_after[seconds]"
_FIELDS = frozenset({_PURPOSE, _ANCHOR, _SECONDS})
_ANCHORS = ("created_at",)


def rows(files: Files, *, most: int) -> Sequence[Row]:
    """The endpoints. `most` are the bytes that a file may have."""
    served = _Served(files, most)
    read, write, delete = Permission.READ_FILES, Permission.WRITE_FILES, Permission.DELETE_FILES
    return (
        _row("GET", "/files", read, "files_list", served.list),
        Row(
            method="POST",
            form="/files",
            permission=write,
            name="files_create",
            upload=Upload(act=served.create, most=most + AROUND),
            media=_MEDIA,
        ),
        _row("GET", "/files/{file_id}", read, "files_get", served.get),
        _row("DELETE", "/files/{file_id}", delete, "files_delete", served.delete),
        _row("GET", "/files/{file_id}/content", read, "files_content", served.content),
    )


def _row(method: str, form: str, permission: Permission, name: str, act: Act) -> Row:
    return Row(method=method, form=form, permission=permission, name=name, act=act, media=b"")


class _Served:
    """What is done at each of them."""

    def __init__(self, files: Files, most: int) -> None:
        self._files = files
        self._most = most

    async def list(self, entry: Entry, _: bytes) -> Reply:
        """A page of the files there are, of one purpose where the query names one."""
        asked = lists.query(entry.head)
        order = lists.order(asked, limit=MOST_LISTED, most=MOST_LISTED)
        purpose = asked["purpose"][-1] if asked.get("purpose") else None
        found = await self._files.page(entry.place, order, purpose=purpose or None)
        return lists.shown_list(
            [msgspec.json.encode(_file(each)) for each in found.files],
            first_id=found.files[0].id if found.files else "",
            last_id=found.files[-1].id if found.files else "",
            has_more=found.has_more,
        )

    async def create(self, entry: Entry, body: Stream) -> Reply:
        """Keep what is uploaded, which is read no faster than it is written to the disk."""
        form = _Form(self._most)
        parser = Multipart(boundary(_content_type(entry.head)))
        draft = await self._files.draft()
        try:
            async for piece in body:
                for event in parser.feed(piece):
                    if isinstance(event, Part):
                        form.begin(event)
                    elif form.in_file:
                        form.check_room(draft.size + len(event))
                        await draft.write(event)
                    else:
                        form.add(event)
            parser.end()
            return as_json(_file(await self._files.keep(entry.place, draft, form.read())))
        finally:
            await draft.discard()

    async def get(self, entry: Entry, _: bytes) -> Reply:
        """One of them."""
        return as_json(_file(await self._files.get(entry.place, entry.asked.ids[0])))

    async def delete(self, entry: Entry, _: bytes) -> Reply:
        """Away with it."""
        id = entry.asked.ids[0]  # noqa: A001 - what it is
        await self._files.delete(entry.place, id)
        return as_json({"id": id, "object": "file", "deleted": True})

    async def content(self, entry: Entry, _: bytes) -> Reply:
        """Its bytes. No browser may take them for something to show or to run."""
        file, stream = await self._files.content(entry.place, entry.asked.ids[0])
        name = quote(file.record.filename, safe="").encode()
        headers = [
            (b"content-type", b"application/octet-stream"),
            (b"content-disposition", b"attachment; filename*=UTF-8''" + name),
            (b"x-content-type-options", b"nosniff"),
        ]
        return Reply(status=200, headers=headers, stream=stream, length=file.record.blob.size)


class _Form:
    """The parts of an upload besides the file's bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._fields: dict[str, bytearray] = {}
        self._part = ""
        self._filename: str | None = None

    @property
    def in_file(self) -> bool:
        """Whether the bytes that come are the file's."""
        return self._part == _FILE

    def begin(self, part: Part) -> None:
        """A part begins. Raises `InvalidField` or `UnknownField`."""
        self._part = part.name
        if part.name in self._fields or (part.name == _FILE and self._filename is not None):
            raise InvalidField(f"'{part.name}' is there twice.", param=part.name)
        if part.name == _FILE:
            if not part.filename:
                raise InvalidField("'file' has no filename: send it as curl -F file=@NAME does.", param=_FILE)
            self._filename = part.filename
        elif part.name not in _FIELDS:
            raise unknown_member(part.name)
        else:
            self._fields[part.name] = bytearray()

    def add(self, piece: bytes) -> None:
        """Bytes of a field. Raises `InvalidField`."""
        field = self._fields[self._part]
        field += piece
        if len(field) > LONGEST_FIELD:
            raise InvalidField(f"'{self._part}' is longer than {LONGEST_FIELD} bytes.", param=self._part)

    def check_room(self, size: int) -> None:
        """Raises `BodyTooLarge` for a file of that many bytes, if they are too many."""
        if size > self._most:
            raise BodyTooLarge(f"The file is longer than {self._most} bytes.", param=_FILE)

    def read(self) -> NewFile:
        """What was said of the file. Raises `InvalidField`."""
        if self._filename is None:
            raise missing_member(_FILE)
        if _PURPOSE not in self._fields:
            raise missing_member(_PURPOSE)
        purpose = self._text(_PURPOSE)
        if purpose not in PURPOSES:
            raise wrong_value(_PURPOSE, purpose, PURPOSES)
        return NewFile(filename=self._filename, purpose=purpose, seconds=self._seconds())

    def _seconds(self) -> int | None:
        given = [each for each in (_ANCHOR, _SECONDS) if each in self._fields]
        if not given:
            return None
        if len(given) == 1:
            raise missing_member(_SECONDS if given == [_ANCHOR] else _ANCHOR)
        anchor, seconds = self._text(_ANCHOR), self._text(_SECONDS)
        if anchor not in _ANCHORS:
            raise wrong_value(_ANCHOR, anchor, _ANCHORS)
        if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= len(str(LONGEST_LIFE))):
            raise _wrong_life()
        if not SHORTEST_LIFE <= int(seconds) <= LONGEST_LIFE:
            raise _wrong_life()
        return int(seconds)

    def _text(self, name: str) -> str:
        return self._fields[name].decode(errors="replace")


def _wrong_life() -> InvalidField:
    return InvalidField(f"'{_SECONDS}' is a whole number from {SHORTEST_LIFE} to {LONGEST_LIFE}.", param=_SECONDS)


def _content_type(head: Head) -> bytes:
    return head.headers.get(b"content-type", _MEDIA)


def _file(file: File) -> dict[str, object]:
    """`OpenAIFile`, as Azure has it. What has no end has no `expires_at`: its schemas allow no null there."""
    shown: dict[str, object] = {
        "id": file.id,
        "object": "file",
        "bytes": file.record.blob.size,
        "created_at": file.created,
        "filename": file.record.filename,
        "purpose": file.record.purpose,
        "status": "processed",
    }
    return shown if file.expires is None else shown | {"expires_at": file.expires}
