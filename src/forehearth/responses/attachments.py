"""Finds the bytes of images and files that a question names: in the files that are kept here, or at their address.

A file is found where whoever asks is, and nowhere else. Addresses are asked by the guarded client alone. An image by
its address is handed on as it is, because hosts fetch it themselves, unless its deployment says that they cannot.
"""

import asyncio
import operator
from collections.abc import Awaitable, Callable, Sequence
from posixpath import basename
from typing import Final
from urllib.parse import unquote, urlsplit

from forehearth.core.egress import EgressRequest
from forehearth.core.endpoint import Endpoint
from forehearth.core.errors import AddressFailed, InvalidField, NotFound
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.dialects.responses import attached
from forehearth.dialects.responses.items import Resource
from forehearth.files.service import Files
from forehearth.identity.access import require
from forehearth.ports.egress import Egress
from forehearth.responses.caller import Caller

LARGEST: Final = 16 << 20
"""Bytes of one image or file."""
MOST_BYTES: Final = 32 << 20
"""Of all that one question has to find."""
MOST: Final = 50
"""Images and files that one question has to find."""
_SECONDS: Final = 60.0
"""For all addresses of one question."""
_AT_ONCE: Final = 4
_OK: Final = 200
_READ: Final = Endpoint(
    method="GET", path="/files/{file_id}/content", permission=Permission.READ_FILES, name="files_content"
)
_EARLIER: Final = "previous_response_id"
"""What is named where something said before is at fault."""
Items = tuple[Resource, ...]
Instead = Callable[[Resource, str], Awaitable[Resource | None]]
"""What is to stand in the place of a part; None for the part as it is."""


class Attachments:
    """What is attached to questions of one server."""

    def __init__(self, files: Files, egress: Egress) -> None:
        self._files = files
        self._egress = egress

    def check(self, caller: Caller, items: Items) -> None:
        """Whether who asks may read the files that are named. Raises `PermissionDenied`."""
        if any(part.get("file_id") for part, _ in attached.parts(items)):
            require(caller.principal, _READ, _home(caller.place))

    async def for_host(self, place: Place, before: Items, items: Items) -> tuple[Items, Items]:
        """What was said and is said, with bytes where files of here are named, which no host knows.

        Where none are, the very items come back.

        Raises `InvalidField` for files that are not there, too large, or no image where one is meant.
        """
        room = _Room()

        async def instead(part: Resource, at: str) -> Resource | None:
            if not part.get("file_id"):
                return None
            data, filename = await self._kept(place, part["file_id"], _in(at, "file_id"), room)
            if part["type"] == "input_image":
                return _without_id(part) | {"image_url": attached.image_url(data, _in(at, "file_id"))}
            return _without_id(part) | {"file_data": attached.data_url(data), "filename": filename}

        return await _replaced(before, items, instead)

    async def for_chat(self, before: Items, items: Items, *, fetches_images: bool = False) -> tuple[Items, Items]:
        """What came through `for_host`, as chat completions can say it: texts, PDFs, and images.

        Raises `InvalidField`, `AddressRefused` or `AddressFailed`.
        """
        room = _Room()

        async def instead(part: Resource, at: str) -> Resource | None:
            if part["type"] == "input_file":
                return await self._file(part, at, room)
            url = part.get("image_url") or ""
            if not fetches_images or url[:5].lower() == "data:":
                return None
            data = await self._fetched(url, _in(at, "image_url"), room)
            return part | {"image_url": attached.image_url(data, _in(at, "image_url"))}

        try:
            async with asyncio.timeout(_SECONDS):
                return await _replaced(before, items, instead)
        except TimeoutError:
            raise AddressFailed(
                "The images and files that the input names by address took too long.", reason="timeout", param="input"
            ) from None

    async def _file(self, part: Resource, at: str, room: "_Room") -> Resource:
        """A file as a model is shown it."""
        filename, url = part.get("filename") or "", part.get("file_url")
        if not url:
            at = _in(at, "file_data")
            return attached.shown(attached.read_data(part["file_data"], at), filename, at)
        at = _in(at, "file_url")
        data = await self._fetched(url, at, room)
        return attached.shown(data, filename or unquote(basename(urlsplit(url).path)), at)

    async def _kept(self, place: Place, id_: object, at: str, room: "_Room") -> tuple[bytes, str]:
        room.one_more(at)
        if not isinstance(id_, str):
            raise InvalidField(f"Invalid type for '{at}': expected a string.", param=at)
        try:
            file, stream = await self._files.content(_home(place), id_)
        except NotFound:
            raise InvalidField(f"There is no file with the id '{id_[:256]}'.", param=at) from None
        try:
            room.take(file.record.blob.size, at)
            return b"".join([piece async for piece in stream]), file.record.filename
        finally:
            await stream.aclose()

    async def _fetched(self, url: str, at: str, room: "_Room") -> bytes:
        room.one_more(at)
        async with room.addresses:
            response = await self._egress.send(EgressRequest(url=url, most_bytes=LARGEST, param=at))
        if response.stream is not None:
            await response.stream.aclose()
        if response.status != _OK or response.stream is not None:
            host = urlsplit(url).hostname
            raise AddressFailed(
                f"'{host}' answered with status {response.status}, and not with a file.", reason="status", param=at
            )
        room.take(len(response.body), at)
        return response.body


class _Room:
    """What one question may still find."""

    def __init__(self) -> None:
        self.addresses = asyncio.Semaphore(_AT_ONCE)
        """Addresses that are asked at the same time."""
        self._left = MOST
        self._bytes = MOST_BYTES

    def one_more(self, at: str) -> None:
        """Raises `InvalidField` where it is one too many."""
        self._left -= 1
        if self._left < 0:
            raise InvalidField(f"At most {MOST} images and files may be named by id or address.", param=at)

    def take(self, size: int, at: str) -> None:
        """Raises `InvalidField` where it is too large, or all of them are."""
        self._bytes -= size
        if size > LARGEST or self._bytes < 0:
            message = f"An image or file has at most {LARGEST} bytes, and all of a question {MOST_BYTES}."
            raise InvalidField(message, param=at)


async def _replaced(before: Items, items: Items, instead: Instead) -> tuple[Items, Items]:
    found = [*((part, _EARLIER) for part, _ in attached.parts(before)), *attached.parts(items)]
    by_part: dict[int, Resource] = {}

    async def one(part: Resource, at: str) -> None:
        other = await instead(part, at)
        if other is not None:
            by_part[id(part)] = other

    await _all([one(part, at) for part, at in found])
    return _with(by_part, before), _with(by_part, items)


def _with(by_part: dict[int, Resource], items: Items) -> Items:
    shown = tuple(attached.changed(item, by_part) for item in items)
    return items if all(map(operator.is_, shown, items)) else shown


async def _all(doing: Sequence[Awaitable[None]]) -> None:
    """All of it at the same time. Raises the first error, and lets nothing go on then."""
    tasks = [asyncio.ensure_future(each) for each in doing]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _in(at: str, member: str) -> str:
    """The path of a part's member."""
    return at if at == _EARLIER else f"{at}.{member}"


def _without_id(part: Resource) -> Resource:
    return {name: value for name, value in part.items() if name != "file_id"}


def _home(place: Place) -> Place:
    """Where files of a place are: an agent has none of its own."""
    return Place(resource=place.resource, project=place.project)
