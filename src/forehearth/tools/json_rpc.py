"""JSON-RPC 2.0 as MCP uses it: what is sent, and what comes back, read once into values."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

Params = Mapping[str, Any]
UNSUPPORTED_VERSION: Final = -32022
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
_LONGEST_MESSAGE: Final = 2_000
_MOST_IN_BATCH: Final = 64


class Fault(msgspec.Struct):
    """The error of a response."""

    code: int = 0
    message: str = ""
    data: Any = None


class Message(msgspec.Struct):
    """A message of the server: a response (`result` or `error`), a request of its own, or a notification."""

    id: str | int | None = None
    method: str | None = None
    result: dict[str, Any] | None = None
    error: Fault | None = None


class NotJsonRpc(ValueError):
    """The bytes are no message, or no list of some."""


_decoder: Final = msgspec.json.Decoder(Message | list[Message])


def request(number: int, method: str, params: Params) -> bytes:
    """A request that is to be answered."""
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


def notification(method: str) -> bytes:
    """Something that is said and not answered."""
    return msgspec.json.encode({"jsonrpc": "2.0", "method": method})


def answer(asked: Message) -> bytes:
    """What the server is answered to a request of its own: yes, we are here; no, we do nothing else."""
    if asked.method == "ping":
        return msgspec.json.encode({"jsonrpc": "2.0", "id": asked.id, "result": {}})
    error = {"code": METHOD_NOT_FOUND, "message": "This client serves no such request."}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": asked.id, "error": error})


def read(raw: bytes) -> Iterator[Message]:
    """The messages in `raw`, one or a batch of them. Raises `NotJsonRpc`."""
    try:
        found = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotJsonRpc from None
    if isinstance(found, Message):
        yield found
        return
    if len(found) > _MOST_IN_BATCH:
        raise NotJsonRpc
    yield from found


def told(fault: Fault) -> str:
    """A fault's message, within bounds."""
    return fault.message[:_LONGEST_MESSAGE] or "no reason is given"
