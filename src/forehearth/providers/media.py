"""Requests of sound and pictures: a form goes on as it came but for the model's name, an answer as it comes."""

import contextlib
from collections.abc import AsyncGenerator

import msgspec

from forehearth.core.call import MEDIA, Call
from forehearth.core.form import Form
from forehearth.core.upstream import Request

_CONTENT_TYPE = b"content-type"


class NamedForm:
    """A form (`core.upstream.Source`) with `model` in its field `model`, and every other byte as it came."""

    def __init__(self, form: Form, model: str) -> None:
        self._form = form
        if form.model_at is None:
            self._value = b'--%b\r\nContent-Disposition: form-data; name="model"\r\n\r\n%b\r\n' % (
                form.boundary,
                model.encode(),
            )
            self._start = self._end = 0
        else:
            self._value = model.encode()
            self._start, self._end = form.model_at

    @property
    def size(self) -> int:
        """See `core.upstream.Source`."""
        return self._start + len(self._value) + self._form.held.size - self._end

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """See `core.upstream.Source`."""
        held = self._form.held
        async with contextlib.aclosing(held.pieces(0, self._start)) as before:
            async for piece in before:
                yield piece
        yield self._value
        async with contextlib.aclosing(held.pieces(self._end, held.size)) as behind:
            async for piece in behind:
                yield piece


class SameForm:
    """A form as it came, for hosts where the path names the model."""

    def __init__(self, form: Form) -> None:
        self._held = form.held

    @property
    def size(self) -> int:
        """See `core.upstream.Source`."""
        return self._held.size

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """See `core.upstream.Source`."""
        return self._held.pieces(0, self._held.size)


def as_media(request: Request, call: Call, model: str | None) -> Request:
    """The request, fit for media where its call is one. `model` is for the form; None leaves what that says."""
    if call.operation not in MEDIA:
        return request
    form = call.form
    if form is None:
        return msgspec.structs.replace(request, streams=True)
    headers = (*(each for each in request.headers if each[0] != _CONTENT_TYPE), (_CONTENT_TYPE, form.content_type))
    source = SameForm(form) if model is None else NamedForm(form, model)
    return msgspec.structs.replace(request, headers=headers, body=b"", source=source, streams=True)
