"""A connection without a network: the protocol on a transport that keeps what is written."""

import asyncio
import re
from typing import Any

from uvicorn.config import Config

from forehearth.core.settings import InboundLimits
from forehearth.http.asgi import contained
from forehearth.http.border import Border
from forehearth.http.protocol import InboundProtocol
from tests.http_toys import ToyEntrance, toy_app


class MemoryTransport(asyncio.Transport):
    """Takes what is written, and is closed at once when asked."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.written = b""
        self.closed = False
        self.aborted = False
        self.write_ended = False
        self.reading = True
        self.held = 0
        """Bytes that it claims not to have been read."""
        self._protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("192.0.2.9", 1234), "sockname": ("192.0.2.1", 80)}.get(name, default)

    def write(self, data: Any) -> None:
        assert not self.write_ended
        if not self.closed:
            self.written += data

    def get_write_buffer_size(self) -> int:
        return self.held

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.write_ended = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.aborted = True
        self.close()


class Memory:
    """One border, and as many connections to it as are wanted."""

    def __init__(self, limits: InboundLimits) -> None:
        self.toy = ToyEntrance()
        self.border = Border(self.toy, limits)
        self.config = Config(contained(toy_app), http=InboundProtocol, log_config=None, interface="asgi3")
        self.config.load()

    def connect(self) -> tuple[InboundProtocol, MemoryTransport]:
        protocol = InboundProtocol(self.config, self.border, {})
        transport = MemoryTransport(protocol)
        protocol.connection_made(transport)
        return protocol, transport


async def settle(rounds: int = 6) -> None:
    """Let the loop do what is to be done."""
    for _ in range(rounds):
        await asyncio.sleep(0)


def statuses(written: bytes) -> list[int]:
    """The statuses of the final responses, in order. What the toy says holds no status line."""
    return [int(found) for found in re.findall(rb"HTTP/1\.1 ([2-5]\d\d) ", written)]
