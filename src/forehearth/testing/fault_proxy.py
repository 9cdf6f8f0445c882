"""A TCP proxy that does harm on the way back from a host, and counts how often it did."""

import asyncio
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

import msgspec

from forehearth.testing.raw_upstream import set_to_reset

Kind = Literal["latency", "drip", "hang", "reset", "half_close", "truncate", "black_hole"]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to one connection's bytes from the host to the client.

    `latency` delays each piece by `seconds`; `drip` sends `size` bytes every `seconds`; after `after` bytes, `hang`
    passes no more, `reset` sends RST, `half_close` ends this direction and leaves the other open, `truncate` closes
    both; `black_hole` passes nothing either way and never closes.
    """

    kind: Kind
    after: int = 0
    seconds: float = 0.0
    size: int = 1


class FaultProxy:
    """Listens on a loopback port of its own and passes bytes on to `host` and `port`.

    `fault` is what happens to each new connection; `choose`, when given, picks it by the connection's number, from 0.
    `down` and `up` are a host that is killed and comes back.
    """

    def __init__(
        self,
        port: int,
        *,
        host: str = "127.0.0.1",
        fault: Fault | None = None,
        choose: Callable[[int], Fault | None] | None = None,
    ) -> None:
        self.fault = fault
        self.port = 0
        self.connections = 0
        self.fired: Counter[str] = Counter()
        """How often each kind of fault took place."""
        self._choose = choose
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._running: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> int:
        """Connections that are not over."""
        return len(self._running)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        await self._end_all()

    async def down(self) -> None:
        """Refuse connections and close those that are open: the host was killed."""
        if self._server is not None:
            self._server.close()
            self._server = None
            await self._end_all()

    async def up(self) -> None:
        """Listen again, on the same port."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _end_all(self) -> None:
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self._choose(self.connections) if self._choose else self.fault
        self.connections += 1
        task = asyncio.ensure_future(self._run(reader, writer, fault))
        self._running.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            if not writer.transport.is_closing():
                writer.close()

        task.add_done_callback(ended)

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None) -> None:
        host: asyncio.StreamWriter | None = None
        try:
            if fault is not None and fault.kind == "black_hole":
                self.fired["black_hole"] += 1
                await _drop_all(reader)
                return
            from_host, host = await asyncio.open_connection(*self._target)
            up = asyncio.ensure_future(_pass(reader, host))
            down = asyncio.ensure_future(self._harm(from_host, writer, fault))
            try:
                await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
                if down.done() and fault is not None and fault.kind == "half_close":
                    await up
            finally:
                up.cancel()
                down.cancel()
                await asyncio.gather(up, down, return_exceptions=True)
        except ConnectionError:
            pass  # either side left
        finally:
            if host is not None and not host.transport.is_closing():
                host.close()

    async def _harm(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None) -> None:
        passed = 0
        while data := await reader.read(65_536):
            if fault is None:
                await _send(writer, data)
            elif fault.kind in {"latency", "drip"}:
                await self._slow(data, writer, fault)
            else:
                allowed = data[: max(0, fault.after - passed)]
                passed += len(data)
                await _send(writer, allowed)
                if len(allowed) < len(data) or passed == fault.after:
                    await self._stop(reader, writer, fault)
                    return

    async def _slow(self, data: bytes, writer: asyncio.StreamWriter, fault: Fault) -> None:
        size = fault.size if fault.kind == "drip" else len(data)
        for start in range(0, len(data), size):
            self.fired[fault.kind] += 1
            await asyncio.sleep(fault.seconds)
            await _send(writer, data[start : start + size])

    async def _stop(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault) -> None:
        self.fired[fault.kind] += 1
        if fault.kind == "hang":
            await _drop_all(reader)
            await asyncio.Event().wait()  # until the client leaves, which ends the other direction
        elif fault.kind == "reset":
            set_to_reset(writer)
            writer.transport.abort()
        elif fault.kind == "half_close" and not writer.transport.is_closing():
            writer.write_eof()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        await _send(writer, data)


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    if writer.transport.is_closing():
        raise ConnectionResetError("the other side has left")
    writer.write(data)
    await writer.drain()


async def _drop_all(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(65_536):
            pass
    except ConnectionError:
        return
