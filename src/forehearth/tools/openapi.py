"""The tool `openapi`: operations of an API whose document a caller gave."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from forehearth.core.egress import EgressRequest
from forehearth.core.errors import AddressFailed, AddressRefused
from forehearth.core.tool import OpenApiTool, ToolFault, ToolResult, ToolSpec
from forehearth.core.upstream import Response, Timeouts
from forehearth.ports.egress import Egress
from forehearth.tools.arguments import BadArguments, read_object
from forehearth.tools.operations import read_operations
from forehearth.tools.text import cut
from forehearth.tools.wording import word

MOST_BYTES: Final = 4 * 1024 * 1024
"""Bytes of an answer."""
_TIMES: Final = Timeouts(connect=5.0, first_byte=60.0, idle=30.0, total=90.0)
_LONGEST_NAME: Final = 128
_SUCCESS: Final = range(200, 300)
_TEXTUAL: Final = ("json", "xml", "yaml", "javascript", "x-www-form-urlencoded")


class OpenApiTools:
    """The operations of one document.

    The document is read at once. Raises `InvalidField`, `NotSupported` and `AddressRefused` for what is wrong there.
    """

    def __init__(self, tool: OpenApiTool, egress: Egress) -> None:
        self._tool = tool
        self._egress = egress
        self._operations = {each.spec.name: each for each in read_operations(tool)}

    @property
    def urls(self) -> set[str]:
        """Where its operations are."""
        return {each.url for each in self._operations.values()}

    async def tools(self) -> Sequence[ToolSpec]:
        """See `ports.tools`."""
        return [each.spec for each in self._operations.values()]

    async def call(self, name: str, arguments: str) -> ToolResult:
        """See `ports.tools`."""
        operation = self._operations.get(name)
        if operation is None:
            return _failed(ToolFault(kind="refused", message=f"There is no tool '{name[:_LONGEST_NAME]}' here."))
        try:
            worded = word(operation, read_object(arguments))
            response = await self._egress.send(
                EgressRequest(
                    url=self._opened(worded.url),
                    method=operation.method.encode(),
                    headers=[each for each in worded.headers if each[0].decode() not in self._tool.headers],
                    secrets=tuple((name.encode(), secret) for name, secret in self._tool.headers.items()),
                    body=worded.body,
                    most_bytes=MOST_BYTES,
                    timeouts=_TIMES,
                )
            )
            body = await _whole(response)
        except BadArguments as error:
            return _failed(ToolFault(kind="refused", message=str(error)))
        except (AddressRefused, AddressFailed) as error:
            return _failed(ToolFault(kind="http", message=error.message))
        text = _readable(response, body)
        if response.status in _SUCCESS:
            return ToolResult(text=text)
        message = f"The API answered with status {response.status}"
        return _failed(
            ToolFault(kind="http", code=response.status, message=f"{message}."), f"{message}: {text}" if text else None
        )

    async def aclose(self) -> None:
        """See `ports.tools`. There is nothing to end."""

    def _opened(self, url: str) -> str:
        """The address with what opens it, where that is a part of it."""
        pairs = [f"{quote(name, safe='')}={quote(each.reveal(), safe='')}" for name, each in self._tool.query.items()]
        return f"{url}{'&' if '?' in url else '?'}{'&'.join(pairs)}" if pairs else url


async def _whole(response: Response) -> bytes:
    if response.stream is None:
        return response.body
    try:
        return b"".join([piece async for piece in response.stream])
    finally:
        await response.stream.aclose()


def _readable(response: Response, body: bytes) -> str:
    """An answer as text for a model; of what is no text, only that it was there."""
    media = response.headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
    if not body:
        return ""
    if media and not media.startswith("text/") and not media.endswith(_TEXTUAL):
        return f"[{len(body)} bytes of the type {media[:100]}: left out]"
    return cut(body.decode(errors="replace"))


def _failed(fault: ToolFault, text: str | None = None) -> ToolResult:
    return ToolResult(text=fault.message if text is None else text, is_error=True, fault=fault)
