"""Sound and pictures, below OpenAI v1 and on the classic paths: calls whose bodies may be forms, and answers anything.

Source: `/audio` and `/images` in OpenAI's specification, and in Azure's of the classic surface. A form is put by while
it arrives, checked as far as every host reads it alike, and sent on as it is but for its field `model`. Pictures may
also be made of others that a body of JSON names.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from forehearth.core.call import Call, Operation
from forehearth.core.errors import BodyTooLarge, InvalidField
from forehearth.core.exchange import Reply, Stream
from forehearth.core.form import Form
from forehearth.core.misfit import UNREADABLE, unread
from forehearth.core.permission import Permission
from forehearth.dialects import audio, images
from forehearth.dialects.form_fields import AROUND, MOST_PARTS, FormFields, FormRules
from forehearth.dialects.images import EditedPictures, Pictures
from forehearth.dialects.multipart import Multipart, boundary
from forehearth.ports.door import Door
from forehearth.ports.spool import Spool, Spooled
from forehearth.ports.surface import Entry, StreamedAct, Upload
from forehearth.wire.bodies import forwarded
from forehearth.wire.table import Row

FORM: Final = b"multipart/form-data"
_JSON: Final = b"application/json"
_LARGEST_JSON: Final = 16 * 1024 * 1024
"""Bytes of a body of JSON where a form may come, too."""
_PROJECTS: Final = "projects"
_OF_DEPLOYMENT: Final = "/deployments/{deployment}"

_Body = audio.Speech | Pictures
BODIES: Final[dict[Operation, type[_Body]]] = {
    Operation.SPEECH: audio.Speech,
    Operation.IMAGES: Pictures,
    Operation.IMAGE_EDITS: EditedPictures,
}
"""What is read of bodies of JSON."""
_DECODERS: Final = {operation: msgspec.json.Decoder(kind) for operation, kind in BODIES.items()}


def rows(door: Door, spool: Spool, *, surface: str, upload_bytes: int) -> Sequence[Row]:
    """The endpoints of a surface. A file that is uploaded may have `upload_bytes`, if the service takes as many."""
    served = _Served(door, spool, surface, upload_bytes)
    sound, picture = Permission.AUDIO, Permission.IMAGES
    heard = min(audio.LARGEST_FILE, upload_bytes) + AROUND
    seen = (images.MOST_FILES + 1) * min(images.LARGEST_FILE, upload_bytes) + AROUND
    return (
        _uploaded("/audio/transcriptions", sound, Operation.TRANSCRIPTIONS, served.transcribe, heard),
        _uploaded("/audio/translations", sound, Operation.TRANSLATIONS, served.translate, heard),
        _asked("/audio/speech", sound, Operation.SPEECH, served),
        _asked("/images/generations", picture, Operation.IMAGES, served),
        _uploaded("/images/edits", picture, Operation.IMAGE_EDITS, served.edit, seen, media=b""),
    )


def with_deployment(its: Sequence[Row]) -> Sequence[Row]:
    """The same, at paths that name the deployment."""
    return [msgspec.structs.replace(each, form=_OF_DEPLOYMENT + each.form) for each in its]


def _uploaded(
    form: str, permission: Permission, operation: Operation, act: StreamedAct, most: int, media: bytes = FORM
) -> Row:
    upload = Upload(act=act, most=most)
    return Row(method="POST", form=form, permission=permission, name=operation.value, upload=upload, media=media)


def _asked(form: str, permission: Permission, operation: Operation, served: "_Served") -> Row:
    act = partial(served.ask, operation)
    return Row(method="POST", form=form, permission=permission, name=operation.value, act=act)


class _Served:
    """What is done at each of them."""

    def __init__(self, door: Door, spool: Spool, surface: str, upload_bytes: int) -> None:
        self._door = door
        self._spool = spool
        self._surface = surface
        self._recordings = audio.transcription_rules(min(audio.LARGEST_FILE, upload_bytes))
        self._pictures = images.edit_rules(min(images.LARGEST_FILE, upload_bytes))

    async def transcribe(self, entry: Entry, body: Stream) -> Reply:
        """The text of a recording."""
        return await self._heard(entry, body, Operation.TRANSCRIPTIONS)

    async def translate(self, entry: Entry, body: Stream) -> Reply:
        """The same in English."""
        return await self._heard(entry, body, Operation.TRANSLATIONS)

    async def edit(self, entry: Entry, body: Stream) -> Reply:
        """A picture that is made of others."""
        if _media_type(entry) == _JSON:
            return await self.ask(Operation.IMAGE_EDITS, entry, await _collected(body))
        form, fields = await self._received(entry, body, self._pictures)
        stream = images.read_edit(fields)
        form = msgspec.structs.replace(form, images=len(fields.files))
        return await self._door(self._call(entry, Operation.IMAGE_EDITS, fields.text("model"), stream, form=form))

    async def ask(self, operation: Operation, entry: Entry, body: bytes) -> Reply:
        """What is asked with a body of JSON."""
        try:
            asked = _DECODERS[operation].decode(body)
        except UNREADABLE as error:
            raise unread(body, error) from None
        stream = asked.stream_format == "sse" if isinstance(asked, audio.Speech) else bool(asked.stream)
        model = None if asked.model is msgspec.UNSET else asked.model
        call = self._call(entry, operation, model, stream, body=body)
        return await self._door(msgspec.structs.replace(call, has_model_member=asked.model is not msgspec.UNSET))

    async def _heard(self, entry: Entry, body: Stream, operation: Operation) -> Reply:
        form, fields = await self._received(entry, body, self._recordings)
        asked = audio.read_transcription(fields, translates=operation is Operation.TRANSLATIONS)
        return await self._door(self._call(entry, operation, asked.model, asked.stream, form=form))

    async def _received(self, entry: Entry, body: Stream, rules: FormRules) -> tuple[Form, FormFields]:
        """A form that was put by whole, and what it says. Reading it waits for the disk, and its sender for that."""
        content_type = entry.head.headers.get(b"content-type", FORM)
        between = boundary(content_type)
        parser, fields = Multipart(between, most_parts=MOST_PARTS), FormFields(rules)
        spooled: Spooled = await self._spool.begin()
        entry.record.at_end(lambda _: spooled.close())  # the call may outlast its caller
        async for piece in body:
            for event in parser.feed(piece):
                fields.take(event)
            await spooled.write(piece)
        parser.end()
        fields.end()
        at = fields.model_at
        form = Form(content_type=content_type, boundary=between, held=spooled, model_at=at, texts=fields.read)
        return form, fields

    def _call(
        self,
        entry: Entry,
        operation: Operation,
        model: str | None,
        stream: bool,
        *,
        body: bytes = b"",
        form: Form | None = None,
    ) -> Call:
        asked = entry.asked
        name = asked.ids[0] if asked.ids else model
        if not name:
            raise InvalidField("You must provide a model parameter: the name of a deployment or route.", param="model")
        return Call(
            request_id=entry.trace.request_id,
            surface=_PROJECTS if asked.project else self._surface,
            operation=operation,
            project=asked.project,
            name=name,
            body=body,
            form=form,
            model_in_body=model or None,
            stream=stream,
            choices=0,
            principal=entry.principal,
            forward=forwarded(entry.head),
            headers=entry.head.headers,
            started=entry.started,
            record=entry.record,
        )


def _media_type(entry: Entry) -> bytes:
    return entry.head.headers.get(b"content-type", FORM).partition(b";")[0].strip().lower()


async def _collected(body: Stream) -> bytes:
    found = bytearray()
    async for piece in body:
        found += piece
        if len(found) > _LARGEST_JSON:
            raise BodyTooLarge(f"A body of JSON may have up to {_LARGEST_JSON} bytes.")
    return bytes(found)
